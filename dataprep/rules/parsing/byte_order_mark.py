"""Flag byte order marks. Cost: three bytes per file."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Fix, Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import LONGEST_RESPELLED_BYTES


class ByteOrderMark(Rule):
    """Byte order mark before the first row.

    ## What it does
    Reports a file that begins with the UTF-8 byte order mark. The mark is left out and the row is read.
    ## Why it matters
    Many JSON readers fail on it, or see an unknown key.
    ## Example
    a file saved by an editor as `UTF-8 with BOM`
    ## Use instead
    Save the file as UTF-8 without BOM.
    ## Options
    None.
    ## Source
    RFC 8259, section 8.1
    """

    name = "byte-order-mark"
    severity = Severity.WARNING
    level = Level.SHAPE

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        if row.raw.starts_with_bom:
            message, step = "a byte order mark stands before the row", "save the file as UTF-8 without BOM"
            fix = None
            if len(row.raw.text) <= LONGEST_RESPELLED_BYTES and not row.raw.is_too_long:
                fix = Fix(label="leave the byte order mark out", is_safe=True, text=row.raw.text)
            yield Problem(message=message, help=step, fix=fix)
