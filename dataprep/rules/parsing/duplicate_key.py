"""Flag objects that name a key twice. Cost: none beyond parsing."""

from __future__ import annotations

from dataprep.rules.base import ParseRule


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
