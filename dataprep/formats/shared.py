"""What every row format has in common: media references, objects, turns built from alternating roles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dataprep.parsing import parse_embedded
from dataprep.records import GroundedObject, MediaRef, Number, Turn
from dataprep.schema import ShapeProblem, check_columns, check_object_quickly, name_type, shorten
from dataprep.tags import BBOX, REF_OBJECT, find_inline_media, replace_inline_media, split_tags

ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "system": "system"}
# The spelling of later releases of the reference, in which boxes without a type are pixels.
_BBOX_TYPES = {None: "real", "norm1": "norm_1", "norm1000": "norm_1000"}


@dataclass(slots=True)
class Draft:
    """A record in the making: what a format reader fills in.

    Attributes:
        system: The row's system prompt; None where it has none of its own.
        turns: Oldest first.
        images: References in the order in which tags consume them.
        videos: Likewise.
        objects: Grounded objects; None if the row has none.
        captions: What ``<ref-object>`` stands for, where the row counts captions and boxes apart; None elsewhere.
        problems: What keeps the row from becoming a record.
    """

    system: str | None = None
    turns: list[Turn] = field(default_factory=list)
    images: list[MediaRef] = field(default_factory=list)
    videos: list[MediaRef] = field(default_factory=list)
    objects: tuple[GroundedObject, ...] | None = None
    captions: tuple[str, ...] | None = None
    problems: list[ShapeProblem] = field(default_factory=list)

    def add_turn(self, turn: Turn) -> None:
        """Append a turn; media written into its query become references and plain tags."""
        for kind, path in find_inline_media(turn.query):
            target = self.images if kind == "image" else self.videos
            target.append(MediaRef(kind, path.strip(), turn.query_field, inline=True))
        query = replace_inline_media(turn.query)
        self.turns.append(Turn(query, turn.response, turn.query_field, turn.response_field))

    def add_media(self, value: Any, kind: str, name: str) -> None:
        """Append the references of a field that holds one path, a list of paths, or null."""
        target = self.images if kind == "image" else self.videos
        if isinstance(value, str):
            target.append(MediaRef(kind, value.strip(), name))
        for index, source in enumerate(value if isinstance(value, list) else []):
            target.append(MediaRef(kind, (source or "").strip(), f"{name}[{index}]"))

    def add_objects(self, value: Any) -> None:
        """Take over ``objects``: a list, columns, a JSON string that holds either, or null; turns must be there."""
        if isinstance(value, str):
            value = self._parse_objects(value)
        if isinstance(value, dict):
            value = self._from_columns(value)
        if value is None:
            return
        problems = [p for i, entry in enumerate(value) for p in check_object_quickly(entry, f"objects[{i}]")]
        self.problems += problems
        if not problems:
            self.objects = tuple(read_object(entry, f"objects[{i}]") for i, entry in enumerate(value))

    def _parse_objects(self, text: str) -> Any:
        try:
            value = parse_embedded(text) if text.strip() else None
        except ValueError as error:
            message = f"objects is text that is not JSON ({error}): {shorten(text)}"
            self.problems.append(ShapeProblem("object-shape", "objects", message))
            return None
        if isinstance(value, dict):
            problems = check_columns(value, "objects")
            self.problems += problems
            return None if problems else value
        if not isinstance(value, list | None):
            message = f"objects holds {name_type(value)}, expected a list"
            self.problems.append(ShapeProblem("object-shape", "objects", message))
            return None
        return value

    def _from_columns(self, value: dict[str, Any]) -> list[dict[str, Any]] | None:
        refs, boxes = value.get("ref") or [], value["bbox"]
        image_ids = value.get("image_id") or [0] * len(boxes)
        if len(image_ids) != len(boxes):
            message = f"objects has {len(boxes)} bbox and {len(image_ids)} image_id entries"
            self.problems.append(ShapeProblem("object-shape", "objects", message, "give one image_id for each bbox"))
            return None
        captions: Sequence[str | None] = refs or [None] * len(boxes)
        if len(captions) != len(boxes):
            self.captions = tuple(refs)
            captions = self._captions_of_boxes(refs, len(boxes))
        written = value.get("bbox_type")
        bbox_type = _BBOX_TYPES.get(written, written)
        return [
            {"caption": caption, "bbox": box, "bbox_type": bbox_type, "image": image}
            for caption, box, image in zip(captions, boxes, image_ids, strict=True)
        ]

    def _captions_of_boxes(self, refs: Sequence[str], num_boxes: int) -> list[str | None]:
        """Return for each box the one caption that stands before it in the text; None where several do, or none."""
        left, found = iter(refs), list[str | None]()
        before: list[str | None] = []
        is_closed = False  # whether a box has stood behind the last caption
        for turn in self.turns:
            for _, piece in split_tags(f"{turn.query}{turn.response}"):
                if piece == REF_OBJECT:
                    before = [] if is_closed else before
                    before.append(next(left, None))
                    is_closed = False
                elif piece == BBOX:
                    found.append(before[0] if len(before) == 1 else None)
                    is_closed = True
        return (found + [None] * num_boxes)[:num_boxes]


def read_object(entry: dict[str, Any], name: str) -> GroundedObject:
    """Return a grounded object from an entry of the right shape."""
    bbox: list[Any] = entry["bbox"]
    boxes: list[list[Number]] = bbox if isinstance(bbox[0], list) else [bbox]
    return GroundedObject(
        caption=entry.get("caption"),
        boxes=tuple(tuple(box) for box in boxes),
        bbox_type=entry["bbox_type"],
        image=int(entry["image"]),
        field=name,
    )


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat: its role (``user``, ``assistant``, ``system``), text and JSON path."""

    role: str
    text: str
    field: str


def pair_messages(draft: Draft, messages: Sequence[Message]) -> None:
    """Turn messages into turns; a wrong order of roles is a problem of the row, never dropped."""
    if messages and messages[0].role == "system":
        draft.system = messages[0].text
        messages = messages[1:]
    for problem in _order_problems(messages):
        draft.problems.append(problem)
        return
    for user, assistant in zip(messages[::2], messages[1::2], strict=True):
        draft.add_turn(Turn(user.text, assistant.text, user.field, assistant.field))


def _order_problems(messages: Sequence[Message]) -> Iterator[ShapeProblem]:
    for index, message in enumerate(messages):
        expected = ("user", "assistant")[index % 2]
        if message.role != expected:
            text = f"{message.field} is from the {message.role}, expected the {expected}"
            yield ShapeProblem("role-order", message.field, text, "let user and assistant take turns, user first")
            return
    if not messages or len(messages) % 2:
        place = messages[-1].field if messages else ""
        yield ShapeProblem("role-order", place, "the last message must be the assistant's answer", "add the answer")
