"""Flag rows whose media are in several of the splits that conversion draws. Cost: known from drawing them."""

from __future__ import annotations

from collections.abc import Sequence

from dataprep.findings import Problem
from dataprep.rules.base import AnyRule, Level


class RowBridgesSplits(AnyRule):
    """Row whose media are in several splits.

    ## What it does
    Rejects, in `dataprep convert --split`, rows of several images or videos of which one is in one split and another
    one in another, through rows that come before. An image that looks like images of two splits counts, too. The
    linter draws no splits and does not report it.
    ## Why it matters
    Wherever such a row went, a picture of one split would be shown in another. The rows before it have their places and
    keep them, also when rows are added.
    ## Example
    `a.jpg` is trained on and `b.jpg` held out; a later row compares the two
    ## Use instead
    Leave the row out (`--on-bad skip`), or give the rows that belong together a field `split`.
    ## Options
    `--split-by bytes` takes only equal files for one picture.
    ## Source
    docs/convert.md
    """

    name = "row-bridges-splits"
    level = Level.MEDIA

    def describe(self, splits: Sequence[str]) -> Problem:
        """Return the problem of a row whose media are in some splits."""
        names = f"{', '.join(splits[:-1])} and {splits[-1]}"
        return Problem(
            message=f"its media are in the splits {names}, through rows that come before it",
            help="leave the row out with --on-bad skip, or give the rows that belong together a field 'split'",
        )
