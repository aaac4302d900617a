"""Flag rows that are not JSON. Cost: none beyond parsing."""

from __future__ import annotations

import ast
import json
import re
import warnings

from dataprep.findings import Fix
from dataprep.parsing import parse_embedded
from dataprep.rules.base import CheckedRow, ParseRule
from dataprep.rules.fixes import LONGEST_RESPELLED_BYTES

_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:[^"\\]++|\\.)*+")|,(?=\s*[}\]])', re.DOTALL)


def _without_trailing_commas(text: str) -> str | None:
    """Return the text less the commas before a closing bracket; None if it still is no JSON."""
    mended = _STRING_OR_TRAILING_COMMA.sub(lambda match: match[1] or "", text)
    try:
        parse_embedded(mended)
    except ValueError:
        return None
    return mended


def _from_python(text: str) -> bytes | None:
    """Return the JSON for what Python prints of a dict; None if it is no such thing, or holds half a character."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text)
        mended = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return mended if isinstance(value, dict) else None


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

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return the row without trailing commas, or from Python's spelling, where that is JSON."""
        if len(row.raw.text) > LONGEST_RESPELLED_BYTES:
            return None
        text = row.raw.text.decode("utf-8")
        mended = _without_trailing_commas(text)
        if mended is not None:
            return Fix(label="take the trailing comma out", is_safe=True, text=mended.encode())
        respelled = _from_python(text)
        if respelled is not None:
            return Fix(label="write the Python text as JSON", is_safe=False, text=respelled)
        return None
