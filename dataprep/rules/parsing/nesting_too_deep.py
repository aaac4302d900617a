"""Flag rows nested beyond all use. Cost: none beyond parsing."""

from __future__ import annotations

from dataprep.findings import Fix
from dataprep.rules.base import CheckedRow, ParseRule
from dataprep.rules.fixes import DROP_ROW


class NestingTooDeep(ParseRule):
    """Row nested beyond all use.

    ## What it does
    Reports rows with more than 200 levels of lists and objects.
    ## Why it matters
    No row format needs more than ten; such rows exhaust parsers.
    ## Example
    `[[[[...]]]]`
    ## Use instead
    Leave the row out.
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "nesting-too-deep"
    kinds = ("nested-too-deep",)

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return the fix that leaves the row out."""
        return DROP_ROW
