"""Flag rows nested or long beyond all use. Cost: none beyond parsing."""

from __future__ import annotations

from dataprep.findings import Fix
from dataprep.rules.base import CheckedRow, ParseRule
from dataprep.rules.fixes import DROP_ROW


class NestingTooDeep(ParseRule):
    """Row nested, or long, beyond all use.

    ## What it does
    Reports rows with more than 200 levels of lists and objects, and rows longer than 256 MiB: these are
    passed over without being held in memory, and nothing else is checked in them.
    ## Why it matters
    No row format needs more than ten levels; such rows exhaust parsers and memory. A row of that length
    is often an array or a text that its writer forgot to close.
    ## Example
    `[[[[...]]]]`
    ## Use instead
    Leave the row out; keep media in files of their own, and rows on lines of their own.
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "nesting-too-deep"
    kinds = ("nested-too-deep", "too-long")

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return the fix that leaves the row out."""
        return DROP_ROW
