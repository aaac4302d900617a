"""Flag pictures that stand on both sides of the split re-encoded or resized. Cost: a full decode."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext


class PictureInBothSplits(CorpusRule):
    """Validation picture that is trained on in another encoding or size.

    ## What it does
    Reports images of `--val` files whose perceptual hash differs in at most 6 of 64 bits from that of a training
    image with other bytes. Pictures of one colour are left out. A row's own `split` counts as for
    image-in-both-splits.
    ## Why it matters
    A copy in another size or quality leaks as much as the file itself, and no comparison of bytes sees it.
    ## Example
    the validation set was downloaded as thumbnails of the same photos
    ## Use instead
    Look at both; take one out if they show the same.
    ## Options
    None.
    ## Source
    docs/data.md
    """

    name = "picture-in-both-splits"
    severity = Severity.WARNING
    level = Level.PIXELS

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        if not corpus.has_split:
            return
        from dataprep.leakage import MOST_DISTANT, matches, near_matches, side_of

        names = ("contents", "pictures")
        train = side_of(corpus, is_val=False, part="media", names=names)
        val = side_of(corpus, is_val=True, part="media", names=names)
        same = {ours for _, ours in matches(train.columns["contents"], val.columns["contents"])}
        for theirs, ours, distance in near_matches(train.columns["pictures"], val.columns["pictures"]):
            if ours in same:
                continue
            yield CorpusProblem(
                location=val.location(ours),
                message=f"{val.names[ours]} looks like {train.names[theirs]}, trained on at {train.location(theirs)} "
                f"({distance} of 64 bits of the perceptual hash differ, one picture has up to {MOST_DISTANT})",
                help="look at both, and take one out if they show the same",
            )
