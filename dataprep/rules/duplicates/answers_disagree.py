"""Flag questions about the same media that are answered differently. Cost: two hashes per row."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext


class AnswersDisagree(CorpusRule):
    """One question about one image with different answers.

    ## What it does
    Reports rows that have the same images and videos and the same conversation up to the last answer, but another
    last answer: once per question, at the first row that disagrees, with the number of rows and of answers. Boxes
    and captions count as the text that they become.
    ## Why it matters
    The model cannot learn which answer is meant; with boxes it is taught to point at one of several at random.
    ## Example
    `Find <ref-object>` of `red cell` on one image, once for each of twelve cells, with one box each
    ## Use instead
    Keep one answer; where a row holds one of several boxes of one referring text, put them all into one row.
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
            for first, later, rows, count in disagreements(side.columns["questions"], side.columns["answers"]):
                yield CorpusProblem(
                    location=side.location(later),
                    message=f"{rows:,} rows ask the same question about the same media and give {count:,} different "
                    f"answers; the first of them is at {side.location(first)}",
                    help="keep one answer; where a row holds one of several boxes, put them all into one row",
                )
