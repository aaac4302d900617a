"""Flag rows of no known format. Cost: none beyond reading."""

from __future__ import annotations

from dataprep.rules.base import ShapeRule


class RowFormatUnknown(ShapeRule):
    """Row of no known format.

    ## What it does
    Reports rows that have none of the fields that tell a format: query/response, messages,
    conversations, instruction/output.
    ## Why it matters
    There is no question and no answer to be found in it.
    ## Example
    `{"question": "q", "answer": "r"}`
    ## Use instead
    `{"query": "q", "response": "r"}`
    ## Options
    None.
    ## Source
    The row schemas (schemas/row.*.schema.json).
    """

    name = "row-format-unknown"
    kinds = ("unknown-format",)
