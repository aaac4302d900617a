"""Flag rows that are not JSON. Cost: none beyond parsing."""

from __future__ import annotations

from dataprep.rules.base import ParseRule


class InvalidJson(ParseRule):
    """Row that is not valid JSON.

    ## What it does
    Reports a line, or an array element, that a strict JSON parser refuses; says so when the file ends
    inside it.
    ## Why it matters
    A loader would stop there or drop the row; what was meant cannot be guessed.
    ## Example
    `{"query": "a", "response": "b",}` has a trailing comma.
    ## Use instead
    Write each row with a JSON library. If the file is cut off, copy it again.
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "invalid-json"
    kinds = ("invalid-json",)
    help = "write the row with a JSON library; if the file is cut off, copy it again"
