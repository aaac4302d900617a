"""Flag escapes that are half a character. Cost: none beyond parsing."""

from __future__ import annotations

import re

from dataprep.findings import Fix
from dataprep.rules.base import CheckedRow, ParseRule
from dataprep.rules.fixes import LONGEST_RESPELLED_BYTES

# An escaped backslash, a whole pair, or one half; only the last is replaced.
_ESCAPES = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


class LoneSurrogate(ParseRule):
    r"""Escape that is half a character.

    ## What it does
    Reports a `\ud800` to `\udfff` escape whose other half is missing.
    ## Why it matters
    The text cannot be written as UTF-8, so a tokenizer cannot read it.
    ## Example
    `{"query": "\ud83d"}`
    ## Use instead
    Cut text at characters, not at UTF-16 units.
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "lone-surrogate"
    kinds = ("lone-surrogate",)
    help = "cut text at characters, not at UTF-16 units"

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return the row with a replacement character for each half."""
        if len(row.raw.text) > LONGEST_RESPELLED_BYTES:
            return None
        text = _ESCAPES.sub(lambda match: match[1] or b"\\ufffd", row.raw.text)
        return Fix(label="put a replacement character there", is_safe=False, text=text)
