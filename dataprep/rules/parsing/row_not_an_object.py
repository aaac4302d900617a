"""Flag rows that are no JSON object. Cost: none beyond parsing."""

from __future__ import annotations

from dataprep.findings import Fix
from dataprep.rules.base import CheckedRow, ParseRule
from dataprep.rules.fixes import DROP_ROW


class RowNotAnObject(ParseRule):
    """Row that is not a JSON object.

    ## What it does
    Reports rows that are a list, a text, a number or null.
    ## Why it matters
    A row has named fields; there is nothing to read in anything else.
    ## Example
    `["question", "answer"]`
    ## Use instead
    `{"query": "question", "response": "answer"}`
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "row-not-an-object"
    kinds = ("not-an-object",)
    help = "write each row as an object with query and response"

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return the fix that leaves the row out."""
        return DROP_ROW
