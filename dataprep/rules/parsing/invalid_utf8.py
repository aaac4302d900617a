"""Flag rows that are not UTF-8. Cost: none beyond parsing."""

from __future__ import annotations

from dataprep.findings import Fix
from dataprep.parsing import parse_embedded
from dataprep.rules.base import CheckedRow, ParseRule
from dataprep.rules.fixes import LONGEST_RESPELLED_BYTES


class InvalidUtf8(ParseRule):
    """Row whose bytes are not UTF-8.

    ## What it does
    Reports the position of the first byte that is not part of a UTF-8 character.
    ## Why it matters
    Another encoding (GBK, Latin-1) read as UTF-8 turns text into different text.
    ## Example
    A file saved as GBK.
    ## Use instead
    Save the file as UTF-8.
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "invalid-utf8"
    kinds = ("invalid-utf8",)
    help = "save the file as UTF-8 (iconv -f GBK -t UTF-8 for Chinese text)"

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return the row read as GB18030, where it is JSON then."""
        if len(row.raw.text) > LONGEST_RESPELLED_BYTES:
            return None
        try:
            text = row.raw.text.decode("gb18030")
            parse_embedded(text)
        except ValueError:
            return None
        return Fix(label="read the row as GB18030 and write it as UTF-8", is_safe=False, text=text.encode())
