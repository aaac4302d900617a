"""From a parsed row to a record: find out the row's format, then let that format's reader take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dataprep.findings import Location
from dataprep.formats.conversations import read_conversations
from dataprep.formats.messages import read_messages
from dataprep.formats.query_response import read_alpaca, read_native
from dataprep.formats.shared import Draft
from dataprep.records import Record
from dataprep.schema import ShapeProblem

_READERS: dict[str, Callable[[dict[str, Any]], Draft]] = {
    "native": read_native,
    "alpaca": read_alpaca,
    "messages": read_messages,
    "conversations": read_conversations,
}
FORMATS = tuple(_READERS)
_SIGNS = {
    "native": ("query", "response"),
    "alpaca": ("instruction", "output"),
    "messages": ("messages",),
    "conversations": ("conversations",),
}
_SHOWN_FIELDS = 8
_SHOWN_CHARACTERS = 40
_COMMON_FIELDS = ("images", "videos", "objects", "system", "split")
COLUMNS = ("ref", "bbox", "bbox_type", "image_id")
"""Fields of ``objects`` given as columns."""
KNOWN_FIELDS = {
    "native": ("query", "response", "history", *_COMMON_FIELDS),
    "alpaca": ("instruction", "input", "output", "history", *_COMMON_FIELDS),
    "messages": ("messages", *_COMMON_FIELDS),
    "conversations": ("conversations", "image", "video", *_COMMON_FIELDS),
}


def detect_formats(row: dict[str, Any]) -> list[str]:
    """Return the formats whose own fields occur in a row; a sound row has exactly one.

    Fields that are null say nothing where others are not: tables written as JSON name every column in every row.
    """
    filled = [name for name, fields in _SIGNS.items() if any(row.get(field) is not None for field in fields)]
    return filled or [name for name, fields in _SIGNS.items() if any(field in row for field in fields)]


def read_record(
    row: dict[str, Any], location: Location, *, row_format: str | None = None
) -> tuple[Record | None, list[ShapeProblem]]:
    """Turn a parsed row into a record.

    Args:
        row: The parsed row.
        location: Where it stands.
        row_format: The format to read it as; None detects it from the row's fields.

    Returns:
        The record and no problems, or None and at least one.
    """
    found = [row_format] if row_format else detect_formats(row)
    if len(found) != 1:
        return None, [_explain_format(row, found)]
    draft = _READERS[found[0]](row)
    if draft.problems:
        return None, draft.problems
    record = Record(
        location=location,
        row_format=found[0],
        system=draft.system,
        turns=tuple(draft.turns),
        images=tuple(draft.images),
        videos=tuple(draft.videos),
        objects=draft.objects,
        split=row.get("split"),
        captions=draft.captions,
    )
    return record, []


def _explain_format(row: dict[str, Any], found: list[str]) -> ShapeProblem:
    if found:
        message = f"the row mixes the formats {' and '.join(found)}"
        return ShapeProblem("mixed-formats", "", message, "keep the fields of one format")
    names = sorted(row)[:_SHOWN_FIELDS]
    fields = ", ".join(name[:_SHOWN_CHARACTERS] for name in names) or "none"
    help_text = "a row needs query and response, or messages, or conversations, or instruction and output"
    if "conversation" in row:
        help_text = "write conversations: [{from, value}, ...] in place of conversation"
    return ShapeProblem("unknown-format", "", f"no known row format has the fields: {fields}", help_text)
