"""Flag rows that occur twice. Cost: one hash per row."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext


class DuplicateRow(CorpusRule):
    """Row that stands twice on one side of the split.

    ## What it does
    Reports every row that occurred before, in the same file or another one of the same split. Rows are
    compared by content: key order, spaces and escapes do not matter.
    ## Why it matters
    A row that occurs n times weighs n times as much, and hides that the data set is smaller than it looks.
    ## Example
    two files were concatenated, and one of them held the other
    ## Use instead
    Take the later rows out.
    ## Options
    None.
    ## Source
    docs/data.md
    """

    name = "duplicate-row"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        if not corpus.may_repeat("rows"):
            return
        from dataprep.leakage import repeats, side_of

        for is_val in (False, True):
            side = side_of(corpus, is_val=is_val, part="rows", names=("rows",))
            for first, later in repeats(side.columns["rows"]):
                yield CorpusProblem(
                    location=side.location(later),
                    message=f"the same row stands at {side.location(first)}",
                    help="take the later row out: it would be trained on twice",
                )
