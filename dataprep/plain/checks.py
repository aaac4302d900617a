"""What makes a row of a plain shape plain in its content: conditions under which no rule can speak.

Each condition is stronger than the rules that it stands for; ``COVERED`` names those. A rule that is not covered keeps
every row from being plain as soon as it is selected: a new rule costs speed until somebody covers it, never findings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from dataprep.formats.shared import ROLES
from dataprep.plain.names import NO_NAMES, NORMAL
from dataprep.plain.shapes import BOX_LIMITS, PlainObject, Shape, Tally
from dataprep.plain.usual import check_usual
from dataprep.tags import BBOX, IMAGE, REF_OBJECT

COVERED = frozenset((
    "P001", "P002", "P003", "P004", "P005", "P006", "P007", "P008", "P009", "P010", "S101", "S102", "S103", "S104",
    "S105", "S106", "S107", "S108", "S109", "T201", "T202", "T203", "T204", "T205", "T206", "T207", "T208", "T209",
    "T210", "M301", "M302", "M303", "M304", "M305", "M306", "M307", "M308", "M309", "M311", "M312", "M313", "M314",
    "M315", "M316", "M317", "M318", "M319", "V351", "V352", "V353", "V354", "V355", "V356", "V357", "G401", "G402",
    "G403", "G404", "G405", "G406", "G407", "G408", "G409", "G410", "G411", "G416", "G417", "G418", "G422", "G423",
))  # fmt: skip
"""Rules of rows, up to the level of media, that have nothing to say about a plain row."""

# Letter by letter: rule T210 takes blanks, dashes and underscores between letters for a slip of the pen.
_RISKY_NAMES = rb"|".join(rb"[ _-]*".join(bytes([letter]) for letter in name) for name in (
    b"im", b"vid", b"pic", b"aud", b"box", b"bound", b"bbox", b"ref", b"obj", b"quad", b"unk",
))  # fmt: skip
COVERED_PIXELS = frozenset({"M310", "V358"})
"""Rules of rows, at the level of pixels, that have nothing to say about images that decode."""

RISKY = re.compile(
    rb"< *(?:[|!\\\x00-\x1f\x7f-\xff]"
    rb"|/? *(?:[\\\x00-\x1f\x7f-\xff]|" + _RISKY_NAMES + rb"|s\s*/?>))",
    re.IGNORECASE,
)
"""What may be a tag or a control token, however it is spelled; a ``<`` that begins none of these means nothing."""

Size: TypeAlias = tuple[int, int]

_Read: TypeAlias = tuple[str, str, Any, int, int]
"""Queries and answers of all turns, each joined; images; number of turns; keys inside the turns."""

_decode_objects = msgspec.json.Decoder(list[PlainObject] | None).decode
_SPACED_KEY = re.compile(r'"\s+:')
# A box this many times smaller than its image is still 3 px wide in one tile of 448 px.
_SMALLEST_SHARE = 149
_CORNER_PX = 2.0


class PlainChecks:
    """Checks rows of plain shapes, for one set of options."""

    def __init__(self, *, joins_images: bool) -> None:
        """Take the options.

        Args:
            joins_images: Whether the model has one place for all images, so that nothing may stand between two.
        """
        self._most_images = 1 if joins_images else 1 << 30
        self._read_row = {
            "native": _read_native,
            "alpaca": _read_alpaca,
            "messages": _read_messages,
            "conversations": _read_conversations,
        }

    def check_all(self, shape: Shape, rows: list[Any]) -> Tally:
        """Replace rows that are not plain by None, and return what the others account for, added up.

        Keys that are not optional are accounted for elsewhere, and of the optional ones those that the shape does not
        count here.

        Args:
            shape: Their shape.
            rows: Parsed rows.
        """
        read_row = self._read_row[shape.row_format]
        if shape.row_format == "native":
            return check_usual(
                rows,
                has_history=shape.has_history,
                most_images=self._most_images,
                num_counted=shape.num_counted,
                check_closely=lambda row: self._check_row(row, read_row(row)),
            )
        all_keys = all_tags = 0
        for index, row in enumerate(rows):
            tally = self._check_row(row, read_row(row))
            if tally is None:
                rows[index] = None
            else:
                all_keys, all_tags = all_keys + tally[0], all_tags + tally[1]
        return all_keys, all_tags

    def _check_row(self, row: Any, read: _Read | None) -> Tally | None:
        """Return what a row accounts for; None if it is not plain."""
        if read is None:
            return None
        query, answer, images, num_turns, num_keys = read
        objects = row.objects
        if answer.isspace():
            return None
        if not images and not objects:
            return num_keys, 0
        num_images = len(images) if type(images) is list else _count_joined(images)
        num_tags = query.count(IMAGE)
        if (num_tags != num_images and (num_tags or num_turns > 1)) or not 0 <= num_images <= self._most_images:
            return None
        if type(images) is list and not are_filled(images):
            return None
        entries = objects_of(objects) if objects else []
        if not entries:
            return None if entries is None else (num_keys, num_tags)
        tally = _check_objects(entries, query, answer, num_images)
        if tally is None:
            return None
        # Keys inside a text are none of the row's.
        return num_keys + (0 if type(objects) is str else tally[0]), num_tags + tally[1]


def _check_objects(entries: list[PlainObject], query: str, answer: str, num_images: int) -> Tally | None:
    # Where one side has them all, one too many on the other side is a tag that nothing accounts for.
    count, num_boxes, num_captions = len(entries), answer.count(BBOX), query.count(REF_OBJECT)
    if num_boxes != count:
        num_boxes += query.count(BBOX)
    if num_captions != count:
        num_captions += answer.count(REF_OBJECT)
    if num_boxes not in (0, count) or num_captions not in (0, count) or not num_boxes + num_captions:
        return None
    for entry in entries:
        x1, y1, x2, y2 = entry.bbox
        if x1 >= x2 or y1 >= y2 or entry.image >= num_images:
            return None
        if entry.bbox_type != "real" and max(x2, y2) > BOX_LIMITS[entry.bbox_type]:
            return None
    names = {NORMAL[entry.caption] for entry in entries}
    # Objects of one name may be one object twice, or may be told apart by nothing.
    if len(names) < count or (num_captions and not names.isdisjoint(NO_NAMES)):
        return None
    return 4 * count - (msgspec.UNSET in names), num_boxes + num_captions


_ANSWERS = {"native": attrgetter("response"), "alpaca": attrgetter("output")}


def refuse_blank(row_format: str, rows: list[Any]) -> Tally:
    """Replace rows of texts alone whose answer is blank by None; the others account for nothing."""
    answer_of = _ANSWERS[row_format]
    if any(map(str.isspace, map(answer_of, rows))):
        rows[:] = [None if answer_of(row).isspace() else row for row in rows]
    return 0, 0


def _read_native(row: Any) -> _Read | None:
    return _read_turns(row, row.query or "", row.response)


def _read_alpaca(row: Any) -> _Read | None:
    return _read_turns(row, f"{row.instruction}\n{row.input}" if row.input else row.instruction, row.output)


def _read_turns(row: Any, query: str, answer: str) -> _Read | None:
    if not row.history:
        return query, answer, row.images, 1, 0
    queries = [*(earlier for earlier, _ in row.history), query]
    if not all(queries[1:]):
        return None
    answers = [*(earlier for _, earlier in row.history), answer]
    if any(map(str.isspace, answers)):
        return None
    return "\n".join(queries), "\n".join(answers), row.images, len(queries), 0


def _read_messages(row: Any) -> _Read | None:
    return _read_entries(row.messages, row.images)


def _read_conversations(row: Any) -> _Read | None:
    if row.image and row.images:
        return None
    return _read_entries(row.conversations, row.image or row.images)


def _read_entries(entries: list[Any], images: Any) -> _Read | None:
    num_keys = 2 * len(entries)
    if entries[0].role == "system":
        entries = entries[1:]
    users, assistants = entries[::2], entries[1::2]
    if len(users) != len(assistants) or not users:
        return None
    if any(ROLES[e.role] != "user" for e in users) or any(ROLES[e.role] != "assistant" for e in assistants):
        return None
    queries, answers = [entry.content for entry in users], [entry.content for entry in assistants]
    if not are_filled(answers) or not all(queries[1:]):
        return None
    return "\n".join(queries), "\n".join(answers), images, len(queries), num_keys


def _count_joined(images: Any) -> int:
    """Return the number of images that one text names; -1 if it may be several."""
    if not images:
        return 0
    return -1 if "," in images or images.isspace() else 1


def are_filled(texts: list[str]) -> bool:
    """Whether every text holds something else than white space."""
    if len(texts) == 1:
        return bool(texts[0]) and not texts[0].isspace()
    return all(texts) and not any(map(str.isspace, texts))


def objects_of(objects: list[PlainObject] | str | None) -> list[PlainObject] | None:
    """Return the objects of a plain row, which may write them as JSON text; None if the text is not plain."""
    if type(objects) is str:
        try:
            entries = _decode_objects(objects) or []
        except (msgspec.MsgspecError, UnicodeError):
            return None
        num_keys = sum(4 - (entry.caption is msgspec.UNSET) for entry in entries)
        is_exact = objects.count('":') - objects.count('\\":') == num_keys and not _SPACED_KEY.search(objects)
        return entries if is_exact else None
    return objects or []  # type: ignore[return-value]  # a list, by then


def are_declared(row: Any, sizes: Sequence[Size]) -> bool:
    """Whether the sizes that a row declares, if it does, are those of its images.

    Args:
        row: A row of a plain shape.
        sizes: Width and height of each image in pixels.
    """
    for number, sides in enumerate(((row.width, row.width_list), (row.height, row.height_list))):
        side = sides[1] if sides[0] is None or sides[0] is msgspec.UNSET else sides[0]
        if side is None or side is msgspec.UNSET:
            return True
        values = side if type(side) is list else [side]
        if len(values) != len(sizes):
            return True  # nobody can tell of which image
        if values != [size[number] for size in sizes]:
            return False
    return True


def are_boxes_inside(entries: list[PlainObject], sizes: Sequence[Size]) -> bool:
    """Whether all boxes lie in their images, large enough to be seen.

    Args:
        entries: Objects that passed the checks of their text.
        sizes: Width and height of each image in pixels.
    """
    for entry in entries:
        x1, y1, x2, y2 = entry.bbox
        width, height = sizes[entry.image]
        if entry.bbox_type == "real":
            full_x: float = width
            full_y: float = height
            if x2 > full_x or y2 > full_y:
                return False
        else:
            full_x = full_y = BOX_LIMITS[entry.bbox_type]
            if x2 * width <= _CORNER_PX * full_x and y2 * height <= _CORNER_PX * full_y:
                return False
        if (x2 - x1) * _SMALLEST_SHARE < full_x or (y2 - y1) * _SMALLEST_SHARE < full_y:
            return False
    return True
