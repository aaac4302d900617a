"""The native format, ``query response history``, and its alpaca variant, ``instruction input output``."""

from __future__ import annotations

import ast
import json
import warnings
from typing import Any

from dataprep.formats.shared import Draft
from dataprep.parsing import parse_embedded
from dataprep.records import Turn
from dataprep.schema import ShapeProblem, check_row, shorten

_MAX_HISTORY_TEXT = 1_000_000


def read_native(row: dict[str, Any]) -> Draft:
    """Return the draft of a native row."""
    draft, row = _prepare(row)
    draft.problems += check_row(row, "native")
    if not draft.problems:
        _fill(draft, row, query=row.get("query") or "", response=row.get("response") or "")
    return draft


def read_alpaca(row: dict[str, Any]) -> Draft:
    """Return the draft of an alpaca row: the input follows the instruction on a new line."""
    draft, row = _prepare(row)
    draft.problems += check_row(row, "alpaca")
    if not draft.problems:
        query = row["instruction"] + (f"\n{row['input']}" if row.get("input") else "")
        _fill(draft, row, query=query, response=row.get("output") or "", names=("instruction", "output"))
    return draft


def _prepare(row: dict[str, Any]) -> tuple[Draft, dict[str, Any]]:
    draft = Draft()
    history = row.get("history")
    if isinstance(history, str):
        row = {**row, "history": _parse_history(history, draft)}
    return draft, row


def _parse_history(text: str, draft: Draft) -> Any:
    # The reference reads a history given as text with Python's literal parser.
    if not text.strip():
        return None
    try:
        return parse_embedded(text)
    except ValueError:
        pass
    try:
        value = _parse_literal(text) if len(text) <= _MAX_HISTORY_TEXT else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, list):
        message = f"history is text that holds no list: {shorten(text)}"
        draft.problems.append(ShapeProblem("history-pair", "history", message, "write a list of [query, response]"))
        return None
    return value


def _parse_literal(text: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in the data are no concern of whoever runs us
        value = ast.literal_eval(text)
    # Through JSON: tuples become lists, and what JSON does not know is refused.
    return parse_embedded(json.dumps(value))


def _fill(
    draft: Draft,
    row: dict[str, Any],
    *,
    query: str,
    response: str,
    names: tuple[str, str] = ("query", "response"),
) -> None:
    draft.system = row.get("system")
    for kind, name in (("image", "images"), ("video", "videos")):
        draft.add_media(row.get(name), kind, name)
    for index, (earlier_query, earlier_response) in enumerate(row.get("history") or []):
        fields = (f"history[{index}][0]", f"history[{index}][1]")
        draft.add_turn(Turn(earlier_query, earlier_response, *fields))
    draft.add_turn(Turn(query, response, *names))
    draft.add_objects(row.get("objects"))
