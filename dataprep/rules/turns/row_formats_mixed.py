"""Flag rows that are of two formats at once. Cost: none beyond reading."""

from __future__ import annotations

from dataprep.rules.base import ShapeRule


class RowFormatsMixed(ShapeRule):
    """Row of two formats at once.

    ## What it does
    Reports rows that have the fields of more than one row format.
    ## Why it matters
    Which of the two conversations is meant cannot be known; the reference takes one by the order of its
    readers.
    ## Example
    `{"query": "q", "response": "r", "messages": [...]}`
    ## Use instead
    Keep the fields of one format.
    ## Options
    None.
    ## Source
    The row schemas (schemas/row.*.schema.json).
    """

    name = "row-formats-mixed"
    kinds = ("mixed-formats",)
