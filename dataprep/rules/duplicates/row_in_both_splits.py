"""Flag rows that stand on both sides of the split. Cost: one hash per row."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext


class RowInBothSplits(CorpusRule):
    """Validation row that is trained on.

    ## What it does
    Reports every row of a `--val` file that also stands in a training file. A row's own `split` counts before the file
    it stands in; every split but `train` is held against it.
    ## Why it matters
    Validation then measures memory, not what was learnt.
    ## Example
    val.jsonl was drawn from train.jsonl, but its rows were never taken out of it
    ## Use instead
    Take the row out of one of the two; `dataprep convert --split val=0.01` draws a split without leaks.
    ## Options
    None.
    ## Source
    docs/data.md
    """

    name = "row-in-both-splits"
    severity = Severity.ERROR
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        if not corpus.has_split:
            return
        from dataprep.leakage import matches, side_of

        train = side_of(corpus, is_val=False, part="rows", names=("rows",))
        val = side_of(corpus, is_val=True, part="rows", names=("rows",))
        for theirs, ours in matches(train.columns["rows"], val.columns["rows"]):
            yield CorpusProblem(
                location=val.location(ours),
                message=f"this validation row is trained on at {train.location(theirs)}",
                help="take it out of one of the two files",
            )
