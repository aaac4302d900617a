"""Flag history entries that are not pairs of texts. Cost: none beyond reading."""

from __future__ import annotations

from dataprep.rules.base import ShapeRule


class HistoryPairBroken(ShapeRule):
    """History entry that is not a pair of texts.

    ## What it does
    Reports `history` that is not a list of `[query, response]` pairs, both of them text.
    ## Why it matters
    A third entry would be ignored, a missing one would shift the turns.
    ## Example
    `{"history": [["q1", "r1", "z"]]}`
    ## Use instead
    `{"history": [["q1", "r1"]]}`
    ## Options
    None.
    ## Source
    The row schemas (schemas/row.*.schema.json).
    """

    name = "history-pair-broken"
    kinds = ("history-pair",)
