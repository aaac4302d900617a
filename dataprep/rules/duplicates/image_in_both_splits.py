"""Flag images and videos that stand on both sides of the split. Cost: a stat per reference; at level 3 all bytes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext


class ImageInBothSplits(CorpusRule):
    """Validation image that is trained on.

    ## What it does
    Reports each file that rows of a `--val` file and training rows both use, through whatever path or link. At
    level 3 copies of a file count too: the bytes are compared. A row's own `split` counts before the file it stands
    in. Without `--val`, only rows that have a `split` are held against each other.
    ## Why it matters
    What the model has seen in training says little about what it has not, even if the question is another one.
    ## Example
    ten questions about each picture, split by row instead of by picture
    ## Use instead
    Split by picture: `dataprep convert --split val=0.01` does.
    ## Options
    None.
    ## Source
    docs/data.md
    """

    name = "image-in-both-splits"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        if not corpus.has_split:
            return
        from dataprep.leakage import matches, side_of

        names = ("files", "contents")
        train = side_of(corpus, is_val=False, part="media", names=names)
        val = side_of(corpus, is_val=True, part="media", names=names)
        found = {
            ours: (theirs, "same bytes") for theirs, ours in matches(train.columns["contents"], val.columns["contents"])
        }
        found |= {ours: (theirs, "same file") for theirs, ours in matches(train.columns["files"], val.columns["files"])}
        for ours, (theirs, how) in sorted(found.items()):
            yield CorpusProblem(
                location=val.location(ours),
                message=f"{val.names[ours]} is trained on as {train.names[theirs]} at {train.location(theirs)} ({how})",
                help="split by picture, not by row: dataprep convert --split val=0.01 does",
            )
