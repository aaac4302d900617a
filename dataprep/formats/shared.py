"""What every row format has in common: media references, objects, turns built from alternating roles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dataprep.parsing import parse_embedded
from dataprep.records import GroundedObject, MediaRef, Number, Turn
from dataprep.schema import ShapeProblem, check_object_quickly, name_type, shorten
from dataprep.tags import find_inline_media, replace_inline_media

ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "system": "system"}
_BBOX_TYPES = {"norm1": "norm_1"}  # the spelling of later releases of the reference


@dataclass(slots=True)
class Draft:
    """A record in the making: what a format reader fills in.

    Attributes:
        system: The row's system prompt; None where it has none of its own.
        turns: Oldest first.
        images: References in the order in which tags consume them.
        videos: Likewise.
        objects: Grounded objects; None if the row has none.
        problems: What keeps the row from becoming a record.
    """

    system: str | None = None
    turns: list[Turn] = field(default_factory=list)
    images: list[MediaRef] = field(default_factory=list)
    videos: list[MediaRef] = field(default_factory=list)
    objects: tuple[GroundedObject, ...] | None = None
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
        """Take over ``objects``: a list, a JSON string that holds one, columns, or null."""
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
        if not isinstance(value, list | None):
            message = f"objects holds {name_type(value)}, expected a list"
            self.problems.append(ShapeProblem("object-shape", "objects", message))
            return None
        return value

    def _from_columns(self, value: dict[str, Any]) -> list[dict[str, Any]] | None:
        refs, boxes = value.get("ref", []), value["bbox"]
        image_ids = value.get("image_id") or [0] * len(boxes)
        if (refs and len(refs) != len(boxes)) or len(image_ids) != len(boxes):
            message = f"objects has {len(refs)} ref, {len(boxes)} bbox and {len(image_ids)} image_id entries"
            self.problems.append(ShapeProblem("object-shape", "objects", message, "give one of each per object"))
            return None
        bbox_type = value.get("bbox_type", "real")
        return [
            {"caption": ref, "bbox": box, "bbox_type": _BBOX_TYPES.get(bbox_type, bbox_type), "image": image}
            for ref, box, image in zip(refs or [None] * len(boxes), boxes, image_ids, strict=True)
        ]


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
