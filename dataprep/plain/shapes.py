"""Types that a parser can hold rows against, made from the keys that occur in the data.

A type knows exactly the keys of the rows seen so far, and refuses every other: what it accepts has no unknown field
but those that the rules have already passed by name, and those hold plain values. Types are narrower than the
schemas: a property test proves that they accept nothing that a schema refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

Tally: TypeAlias = tuple[int, int]
"""Keys inside the fields of rows, and tags that stand where they belong: what must be found in the rows' bytes."""
BOX_LIMITS = {"norm_1": 1, "norm_1000": 1000}
"""The largest number of boxes that are not in pixels."""
Answer: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
Coordinate: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
_Media: TypeAlias = list[str] | Answer | None
_NoMedia: TypeAlias = Annotated[list[str], msgspec.Meta(max_length=0)] | None
_Scalar: TypeAlias = str | int | float | bool | None


class PlainObject(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """One entry of ``objects`` with one box; the parser is fastest where keys come in this order."""

    caption: str | msgspec.UnsetType = msgspec.UNSET
    bbox: tuple[Coordinate, Coordinate, Coordinate, Coordinate]
    bbox_type: Literal["real", "norm_1", "norm_1000"]
    image: Annotated[int, msgspec.Meta(ge=0)]

    @property
    def boxes(self) -> tuple[tuple[float, float, float, float]]:
        """The one box, as the entries of records have them."""
        return (self.bbox,)


class PlainMessage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One entry of ``messages`` whose content is text."""

    role: Literal["system", "user", "assistant"]
    content: str


class PlainUtterance(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename={"role": "from", "content": "value"}):
    """One entry of ``conversations``."""

    role: Literal["system", "human", "gpt", "user", "assistant"]
    content: str


_Pixels: TypeAlias = Annotated[int, msgspec.Meta(ge=1, lt=1 << 31)]
_Side: TypeAlias = _Pixels | list[_Pixels] | None

_SHARED: dict[str, Any] = {
    "images": _Media,
    "videos": _NoMedia,
    "objects": list[PlainObject] | str | None,
    "system": str | None,
    "width": _Side,
    "height": _Side,
    "width_list": _Side,
    "height_list": _Side,
}
_HISTORY = list[tuple[str, Answer]] | None
FIELD_TYPES: Mapping[str, dict[str, Any]] = {
    "native": {"query": str, "response": Answer, "history": _HISTORY, **_SHARED},
    "alpaca": {"instruction": str, "input": str | None, "output": Answer, "history": _HISTORY, **_SHARED},
    "messages": {"messages": Annotated[list[PlainMessage], msgspec.Meta(min_length=2)], **_SHARED},
    "conversations": {
        "conversations": Annotated[list[PlainUtterance], msgspec.Meta(min_length=2)],
        "image": _Media,
        "video": _NoMedia,
        **_SHARED,
    },
}
"""Fields of plain rows, by row format."""
_NEEDED = {
    "native": {"response"},
    "alpaca": {"instruction", "output"},
    "messages": {"messages"},
    "conversations": {"conversations"},
}
COUNTED = frozenset({"images", "objects"})
"""Fields of native rows whose keys are counted with the objects."""
_NOT_TEXT = {"images", "objects", "history"}
# Fine or not by their values, not by their names; the rules also take down which split a row declares.
_UNSUPPORTED = {"audios", "tools", "rejected_response", "split"}
_MOST_KEYS = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys that rows of one format have.

    Attributes:
        row_format: ``native``, ``alpaca``, ``messages`` or ``conversations``.
        required: Keys of every row, in the order of the first: the parser is fastest where they keep to it.
        optional: Keys of some rows.
        decode: Parses one line; raises msgspec.MsgspecError or UnicodeDecodeError for another shape.
        decode_lines: Parses consecutive lines.
        names: Attributes of the optional keys, but for those that :attr:`num_counted` counts.
        row_type: Type of the parsed rows.
    """

    row_format: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    decode: Callable[[bytes], Any] = field(compare=False)
    decode_lines: Callable[[bytes], list[Any]] = field(compare=False)
    names: tuple[str, ...] = field(compare=False)
    row_type: type = field(compare=False)

    @property
    def is_text_only(self) -> bool:
        """Whether its rows hold texts beside each other and nothing more."""
        return self.row_format in ("native", "alpaca") and not _NOT_TEXT & {*self.required, *self.optional}

    @property
    def has_history(self) -> bool:
        """Whether its rows may hold more than one turn as a history."""
        return "history" in self.required or "history" in self.optional

    @property
    def num_counted(self) -> int:
        """How many optional keys are counted where the rows are checked: those of :data:`COUNTED` in native rows."""
        return len(COUNTED.intersection(self.optional)) if self.row_format == "native" else 0

    def widened(self, keys: Sequence[str]) -> Shape:
        """Return the shape of the rows so far and one with these keys."""
        required = [key for key in self.required if key in keys]
        others = dict.fromkeys((*self.required, *self.optional, *keys))
        return make_shape(self.row_format, required, [key for key in others if key not in required])


def is_possible(row_format: str, keys: Collection[str]) -> bool:
    """Whether a row with these keys can be plain: it has what its format needs, and no field of another format."""
    foreign = {key for name, fields in FIELD_TYPES.items() if name != row_format for key in fields}
    unknown = set(keys) - FIELD_TYPES[row_format].keys()
    # A key with a backslash could hide from the count of keys; msgspec takes none with quotes or control characters.
    is_odd = len(keys) > _MOST_KEYS or any(char in '\\"' or char < " " for key in unknown for char in key)
    return _NEEDED[row_format] <= set(keys) and not unknown & (foreign | _UNSUPPORTED) and not is_odd


def make_shape(row_format: str, required: Sequence[str], optional: Sequence[str] = ()) -> Shape:
    """Return the shape of rows that have the required keys, and of the optional ones any."""
    types = FIELD_TYPES[row_format]
    names = {key: key if key in types else f"extra_{index}" for index, key in enumerate((*required, *optional))}
    fields: list[Any] = [(names[key], types.get(key, _Scalar)) for key in required]
    fields += [(names[key], types.get(key, _Scalar) | msgspec.UnsetType, msgspec.UNSET) for key in optional]
    made = msgspec.defstruct(
        f"Plain_{row_format}",
        fields,
        namespace={name: None for name in types if name not in names},
        rename={name: key for key, name in names.items()},
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,
    )
    decoder = msgspec.json.Decoder(made)
    counted = COUNTED if row_format == "native" else frozenset()
    optional_names = tuple(names[key] for key in optional if key not in counted)
    return Shape(
        row_format, tuple(required), tuple(optional), decoder.decode, decoder.decode_lines, optional_names, made
    )
