"""Flag numbers that JSON cannot hold. Cost: none beyond parsing."""

from __future__ import annotations

from dataprep.findings import Fix
from dataprep.rules.base import CheckedRow, ParseRule
from dataprep.rules.fixes import DROP_ROW


class NonFiniteNumber(ParseRule):
    """NaN, Infinity or a number too large.

    ## What it does
    Reports `NaN`, `Infinity` and numbers beyond the range of a 64-bit float.
    ## Why it matters
    They are no JSON, and a box that holds one means nothing.
    ## Example
    `{"bbox": [NaN, 1, 2, 3]}`
    ## Use instead
    Find out where the value comes from and leave the row out or mend it.
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "non-finite-number"
    kinds = ("non-finite-number",)

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return the fix that leaves the row out."""
        return DROP_ROW
