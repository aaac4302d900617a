"""Accepted rows as records: what the format readers would have made of them, without their questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from dataprep.findings import Location
from dataprep.plain.checks import objects_of
from dataprep.records import GroundedObject, MediaRef, Record, Turn


def sources_of(row_format: str, row: Any) -> Sequence[str]:
    """Return the images of an accepted row, as it writes them."""
    images = (row.image or row.images) if row_format == "conversations" else row.images
    if type(images) is str:
        return (images,) if images else ()
    return images or ()


def answer_of(row_format: str, row: Any) -> str:
    """Return the last answer of an accepted row."""
    if row_format == "native":
        return str(row.response)
    if row_format == "alpaca":
        return str(row.output)
    entries = row.messages if row_format == "messages" else row.conversations
    return str(entries[-1].content)


def texts_of(row_format: str, row: Any) -> tuple[list[object], str | None]:
    """Return queries and answers of an accepted row in turn, and its system prompt."""
    system = None if row.system is msgspec.UNSET else row.system
    if row_format == "native":
        last = [row.query or "", row.response]
    elif row_format == "alpaca":
        last = [f"{row.instruction}\n{row.input}" if row.input else row.instruction, row.output]
    else:
        entries = row.messages if row_format == "messages" else row.conversations
        if entries[0].role == "system":
            system, entries = entries[0].content, entries[1:]
        return [entry.content for entry in entries], system
    if not row.history:
        return last, system
    return [*(text for turn in row.history for text in turn), *last], system


def record_of(
    row_format: str, row: Any, location: Location, *, objects: tuple[GroundedObject, ...] | None = None
) -> Record:
    """Return the record of an accepted row.

    Args:
        row_format: Its format.
        row: The row.
        location: Where it stands.
        objects: Its objects, where they are known better than from the row, whose numbers are all fractions.
    """
    turns, system = _turns_of(row_format, row)
    name = "image" if row_format == "conversations" and row.image else "images"
    images = row.image if name == "image" else row.images
    if type(images) is str:
        refs = [MediaRef("image", images.strip(), name)] if images else []
    else:
        refs = [MediaRef("image", source.strip(), f"{name}[{i}]") for i, source in enumerate(images or ())]
    if objects is None and row.objects is not None and row.objects is not msgspec.UNSET:
        objects = _objects_of(row.objects)
    return Record(
        location=location,
        row_format=row_format,
        system=None if system is msgspec.UNSET else system,
        turns=turns,
        images=tuple(refs),
        objects=objects,
    )


def _objects_of(value: Any) -> tuple[GroundedObject, ...] | None:
    if type(value) is str and (not value.strip() or value.strip() == "null"):
        return None
    return tuple(
        GroundedObject(
            caption=None if entry.caption is msgspec.UNSET else entry.caption,
            boxes=(entry.bbox,),
            bbox_type=entry.bbox_type,
            image=entry.image,
            field=f"objects[{index}]",
        )
        for index, entry in enumerate(objects_of(value) or ())
    )


def _turns_of(row_format: str, row: Any) -> tuple[tuple[Turn, ...], Any]:
    if row_format in ("native", "alpaca"):
        if row_format == "native":
            last = Turn(row.query or "", row.response)
        else:
            query = f"{row.instruction}\n{row.input}" if row.input else row.instruction
            last = Turn(query, row.output, "instruction", "output")
        earlier = [Turn(q, a, f"history[{i}][0]", f"history[{i}][1]") for i, (q, a) in enumerate(row.history or ())]
        return (*earlier, last), row.system
    name, text = ("messages", "content") if row_format == "messages" else ("conversations", "value")
    entries, first, system = getattr(row, name), 0, row.system
    if entries[0].role == "system":
        first, system = 1, entries[0].content
    fields = [f"{name}[{index}].{text}" for index in range(len(entries))]
    turns = [
        Turn(entries[i].content, entries[i + 1].content, fields[i], fields[i + 1])
        for i in range(first, len(entries), 2)
    ]
    return tuple(turns), system
