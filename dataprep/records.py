"""A row in memory after the schema check: the one form that every row format is turned into.

A record still refers to media by name and holds tags in its text; nothing has been read from disk but the row.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from dataprep.findings import Location

Number = int | float
ANNOTATION = "_lint"
"""Field in which the annotated copy of a data file says what was found in a row; no part of the row's content."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One query and its answer, as the row writes them, tags included.

    Attributes:
        query: What the user says; may be empty.
        response: What the model shall answer.
        query_field: JSON path of the query.
        response_field: JSON path of the answer.
    """

    query: str
    response: str
    query_field: str = "query"
    response_field: str = "response"


@dataclass(frozen=True, slots=True)
class MediaRef:
    """A reference to an image or a video.

    Attributes:
        kind: ``image`` or ``video``.
        source: Path, URL or inline data, as the row writes it.
        field: JSON path of the reference.
        inline: Whether it stood in the text as ``<img>path</img>`` or ``<video>path</video>``.
        is_joined: Whether it was one of several paths joined by commas in one text.
    """

    kind: str
    source: str
    field: str
    inline: bool = False
    is_joined: bool = False


@dataclass(frozen=True, slots=True)
class GroundedObject:
    """One entry of ``objects``, of the right shape but not yet held against its image.

    Attributes:
        caption: Referring text; None where the row has none.
        boxes: Boxes of four numbers each, in ``bbox_type`` coordinates, as written (ints stay ints).
        bbox_type: ``real`` (pixels), ``norm_1`` or ``norm_1000``, or what the row says instead.
        image: Index into the record's images.
        field: JSON path of the entry.
    """

    caption: str | None
    boxes: tuple[tuple[Number, ...], ...]
    bbox_type: str
    image: int
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A row, checked against its schema.

    Attributes:
        location: Where the row stands.
        row_format: ``native``, ``messages``, ``conversations`` or ``alpaca``.
        system: The row's system prompt; ``""`` means none, None means the default.
        turns: At least one, oldest first.
        images: In the order in which tags consume them.
        videos: Likewise.
        objects: Grounded objects; None if the row has no such field or it is null.
        split: The split that the row declares for itself; None if it declares none.
        captions: What ``<ref-object>`` stands for, in order, where a row counts captions and boxes apart; None where
            each object brings its own.
    """

    location: Location
    row_format: str
    system: str | None
    turns: tuple[Turn, ...]
    images: tuple[MediaRef, ...] = ()
    videos: tuple[MediaRef, ...] = ()
    objects: tuple[GroundedObject, ...] | None = None
    split: str | None = None
    captions: tuple[str, ...] | None = None

    def caption_texts(self) -> list[tuple[str, str | None]]:
        """Return JSON path and text of what each ``<ref-object>`` stands for, in order."""
        if self.captions is not None:
            return [(f"objects.ref[{index}]", caption) for index, caption in enumerate(self.captions)]
        return [(f"{entry.field}.caption", entry.caption) for entry in self.objects or ()]


def hash_row(row: object) -> bytes:
    """Return 16 bytes that depend on the content of a parsed row, not on its spelling, key order or annotations."""
    if isinstance(row, dict) and ANNOTATION in row:
        row = {key: value for key, value in row.items() if key != ANNOTATION}
    # surrogatepass: a row with a lone surrogate is a finding, but it still needs a name.
    canonical = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def hash_text(text: bytes) -> bytes:
    """Return 16 bytes for a row that could not be parsed."""
    return hashlib.blake2b(text, digest_size=16, person=b"raw").digest()
