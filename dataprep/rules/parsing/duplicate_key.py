"""Flag objects that name a key twice. Cost: none beyond parsing."""

from __future__ import annotations

import json

from dataprep.findings import Fix
from dataprep.rules.base import CheckedRow, ParseRule
from dataprep.rules.fixes import LONGEST_RESPELLED_BYTES


class _Reader:
    """Keep the last value of each key, as JSON parsers do, and note whether any value was lost by that."""

    def __init__(self) -> None:
        self.loses_something = False

    def read(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        self.loses_something |= any(value[key] != other for key, other in pairs)
        return value


class DuplicateKey(ParseRule):
    """Object in which a key occurs twice.

    ## What it does
    Reports an object, at any depth of the row, that has the same key more than once.
    ## Why it matters
    JSON parsers keep one of the values and drop the other in silence.
    ## Example
    `{"query": "a", "response": "b", "query": "c"}`
    ## Use instead
    Keep one of the two.
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "duplicate-key"
    kinds = ("duplicate-key",)
    help = "keep one of the two values"

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return the row with the last value of each key; safe if the others are equal."""
        if len(row.raw.text) > LONGEST_RESPELLED_BYTES:
            return None
        reader = _Reader()
        try:
            value = json.loads(row.raw.text, object_pairs_hook=reader.read)
            text = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            return None
        return Fix(label="keep the last of the values", is_safe=not reader.loses_something, text=text)
