"""The account of an import: every annotation that goes in comes out as part of a row, or is left out for a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_EXAMPLES = 3


@dataclass(slots=True)
class Note:
    """Something odd that was met: how often, and the first places."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ImportAccount:
    """What went in, what came out, what was left out, and what is odd about it.

    Attributes:
        annotations_in: Boxes or captions in the source; of RefCOCO, phrases.
        annotations_out: Those that are in the rows.
        left_out: Numbers of annotations that are not, by reason.
        images_in: Images in the source.
        images_left_out: Numbers of images without a row, by reason.
        rows_out: Rows written.
        damage: Annotations that cannot be right; they are in the rows as they are, for lint to find, by kind.
        remarks: What else a person should know, by kind.
    """

    annotations_in: int = 0
    annotations_out: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    images_in: int = 0
    images_left_out: Counter[str] = field(default_factory=Counter)
    rows_out: int = 0
    damage: dict[str, Note] = field(default_factory=dict)
    remarks: dict[str, Note] = field(default_factory=dict)

    def leave_out(self, reason: str, number: int = 1) -> None:
        """Count annotations that are in no row."""
        self.left_out[reason] += number

    def note_damage(self, kind: str, place: str) -> None:
        """Count something that cannot be right."""
        _note(self.damage, kind, place)

    def remark(self, kind: str, place: str) -> None:
        """Count something odd."""
        _note(self.remarks, kind, place)

    @property
    def adds_up(self) -> bool:
        """Whether every annotation came out or was left out for a reason."""
        return self.annotations_in == self.annotations_out + self.left_out.total()

    def to_object(self) -> dict[str, Any]:
        """Return the account as plain values, in a fixed order."""
        return {
            "annotations_in": self.annotations_in,
            "annotations_out": self.annotations_out,
            "annotations_left_out": dict(sorted(self.left_out.items())),
            "images_in": self.images_in,
            "images_left_out": dict(sorted(self.images_left_out.items())),
            "rows_out": self.rows_out,
            "damage": {kind: _plain(note) for kind, note in sorted(self.damage.items())},
            "remarks": {kind: _plain(note) for kind, note in sorted(self.remarks.items())},
        }


def _note(notes: dict[str, Note], kind: str, place: str) -> None:
    note = notes.setdefault(kind, Note())
    note.count += 1
    if len(note.examples) < _EXAMPLES:
        note.examples.append(place)


def _plain(note: Note) -> dict[str, Any]:
    return {"count": note.count, "examples": note.examples}
