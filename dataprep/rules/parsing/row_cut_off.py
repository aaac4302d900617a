"""Flag the row in which a file ends. Cost: none beyond reading."""

from __future__ import annotations

from dataprep.findings import Fix
from dataprep.rules.base import CheckedRow, ParseRule
from dataprep.rules.fixes import DROP_ROW


class RowCutOff(ParseRule):
    """Row in the middle of which the file ends.

    ## What it does
    Reports the last row of a file if it is cut off, and an array that is never closed.
    ## Why it matters
    The file was copied or downloaded in part, or its writer was stopped: rows behind it are missing,
    too.
    ## Example
    `{"query": "What is this?", "respon` and nothing more
    ## Use instead
    Copy the whole file again.
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "row-cut-off"
    kinds = ("cut-off",)
    help = "copy the whole file again; rows behind this one are missing, too"

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return the fix that leaves the row out."""
        return DROP_ROW
