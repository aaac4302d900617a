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
from dataprep.plain.shapes import PlainObject
from dataprep.tags import BBOX, IMAGE, REF_OBJECT

COVERED = frozenset((
    "P001", "P002", "P003", "P004", "P005", "P006", "P007", "P008", "P009", "P010", "S101", "S102", "S103", "S104",
    "S105", "S106", "S107", "S108", "S109", "T201", "T202", "T203", "T204", "T205", "T206", "T207", "T208", "T209",
    "T210", "M301", "M302", "M303", "M304", "M305", "M306", "M307", "M308", "M309", "M311", "M312", "M313", "M314",
    "M315", "M316", "M317", "M318", "V351", "V352", "V353", "V354", "V355", "V356", "G401", "G402", "G403", "G404",
    "G405", "G406", "G407", "G408", "G409", "G410", "G411", "G416", "G417", "G418",
))  # fmt: skip
"""Rules of rows, up to the level of media, that have nothing to say about a plain row."""

# Letter by letter: rule T210 takes blanks, dashes and underscores between letters for a slip of the pen.
_RISKY_NAMES = rb"|".join(rb"[ _-]*".join(bytes([letter]) for letter in name) for name in (
    b"im", b"vid", b"pic", b"aud", b"box", b"bound", b"bbox", b"ref", b"obj", b"quad", b"unk",
))  # fmt: skip
COVERED_PIXELS = frozenset({"M310"})
"""Rules of rows, at the level of pixels, that have nothing to say about images that decode."""

RISKY = re.compile(
    rb"< *(?:[|!\\\x00-\x1f\x7f-\xff]"
    rb"|/? *(?:[\\\x00-\x1f\x7f-\xff]|" + _RISKY_NAMES + rb"|s\s*/?>))",
    re.IGNORECASE,
)
"""What may be a tag or a control token, however it is spelled; a ``<`` that begins none of these means nothing."""

Tally: TypeAlias = tuple[int, int]
"""Keys inside the fields of rows, and tags that stand where they belong: what must be found in the rows' bytes."""
Size: TypeAlias = tuple[int, int]

_decode_objects = msgspec.json.Decoder(list[PlainObject] | None).decode
_SPACED_KEY = re.compile(r'"\s+:')
_BOX_LIMITS = {"norm_1": 1, "norm_1000": 1000}
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

    def check_all(self, row_format: str, rows: list[Any]) -> Tally:  # noqa: PLR0915
        """Replace rows that are not plain by None, and return what the others account for, added up.

        One long function, because calls would be most of its cost.

        Args:
            row_format: ``native``, ``alpaca``, ``messages`` or ``conversations``.
            rows: Parsed rows of that format.
        """
        is_native, read_row = row_format == "native", self._read_row[row_format]
        most_images, unset, normal = self._most_images, msgspec.UNSET, _NORMAL
        all_keys = all_tags = 0
        for index, row in enumerate(rows):
            if is_native and not row.history:
                query, answer, images, num_turns = row.query or "", row.response, row.images, 1
            else:
                read = read_row(row)
                if read is None:
                    rows[index] = None
                    continue
                query, answer, images, num_turns, num_keys = read
                all_keys += num_keys
            objects = row.objects
            if answer.isspace():
                rows[index] = None
                continue
            if not images and not objects:
                continue
            num_images = len(images) if type(images) is list else _count_joined(images)
            num_tags = query.count(IMAGE)
            if (num_tags != num_images and (num_tags or num_turns > 1)) or not 0 <= num_images <= most_images:
                rows[index] = None
                continue
            if num_images and not (images[0] and not images[0].isspace() if num_images == 1 else are_filled(images)):
                rows[index] = None
                continue
            if not objects:
                all_tags += num_tags
                continue
            num_keys = 0
            if type(objects) is str:
                objects = objects_of(objects)
                if not objects:
                    rows[index] = None if objects is None else row
                    all_tags += num_tags
                    continue
                num_keys = -4 * len(objects)  # keys inside a text are none of the row's
            # Where one side has them all, one too many on the other side is a tag that nothing accounts for.
            count, num_boxes, num_captions = len(objects), answer.count(BBOX), query.count(REF_OBJECT)
            if num_boxes != count:
                num_boxes += query.count(BBOX)
            if num_captions != count:
                num_captions += answer.count(REF_OBJECT)
            for entry in objects:
                x1, y1, x2, y2 = entry.bbox
                if x1 >= x2 or y1 >= y2 or entry.image >= num_images:
                    break
                if entry.bbox_type != "real" and (x2 if x2 > y2 else y2) > _BOX_LIMITS[entry.bbox_type]:
                    break
            else:
                names = {normal[entry.caption] for entry in objects}
                # Objects of one name may be one object twice, or may be told apart by nothing.
                is_named = len(names) == count and not (num_captions and ("" in names or unset in names))
                if is_named and num_boxes in (0, count) and num_captions in (0, count) and num_boxes + num_captions:
                    all_keys += num_keys + 4 * count - (unset in names)
                    all_tags += num_tags + num_boxes + num_captions
                    continue
            rows[index] = None
        return all_keys, all_tags


_ANSWERS = {"native": attrgetter("response"), "alpaca": attrgetter("output")}


def refuse_blank(row_format: str, rows: list[Any]) -> Tally:
    """Replace rows of texts alone whose answer is blank by None; the others account for nothing."""
    answer_of = _ANSWERS[row_format]
    if any(map(str.isspace, map(answer_of, rows))):
        rows[:] = [None if answer_of(row).isspace() else row for row in rows]
    return 0, 0


class _NormalCaptions(dict[Any, Any]):
    """Captions as rules compare them, remembered: labels come again and again."""

    def __missing__(self, caption: Any) -> Any:
        if len(self) >= _MOST_CAPTIONS:
            self.clear()
        self[caption] = caption if caption is msgspec.UNSET else caption.strip().casefold()
        return self[caption]


_MOST_CAPTIONS = 50_000
_NORMAL = _NormalCaptions()
_Read: TypeAlias = tuple[str, str, Any, int, int]
"""Queries and answers of all turns, each joined; images; number of turns; keys inside the turns."""


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
            full_x = full_y = _BOX_LIMITS[entry.bbox_type]
            if x2 * width <= _CORNER_PX * full_x and y2 * height <= _CORNER_PX * full_y:
                return False
        if (x2 - x1) * _SMALLEST_SHARE < full_x or (y2 - y1) * _SMALLEST_SHARE < full_y:
            return False
    return True
