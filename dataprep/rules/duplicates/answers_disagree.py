"""Flag questions about the same media that are answered differently. Cost: two hashes per row."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext


class AnswersDisagree(CorpusRule):
    """One question about one image with different answers.

    ## What it does
    Reports, once per question, rows that have the same images and videos and the same conversation up to the
    last answer, but another last answer. Boxes and captions count as the text that they become.
    ## Why it matters
    The model cannot learn which answer is meant; with boxes it is taught to point at one of several at random.
    ## Example
    `Find <ref-object>` of `red cell` on one image, once for each of twelve cells, with one box each
    ## Use instead
    Keep one answer; put all boxes of one referring text into one row.
    ## Options
    None.
    ## Source
    docs/data.md
    """

    name = "answers-disagree"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        if not corpus.may_repeat("questions"):
            return
        from dataprep.leakage import disagreements, side_of

        for is_val in (False, True):
            side = side_of(corpus, is_val=is_val, part="rows", names=("questions", "answers"))
            for first, later, count in disagreements(side.columns["questions"], side.columns["answers"]):
                yield CorpusProblem(
                    location=side.location(later),
                    message=f"the same question about the same media has another answer at {side.location(first)}; "
                    f"{count:,} different answers in all",
                    help="keep one answer, or put all boxes of one referring text into one row",
                )
