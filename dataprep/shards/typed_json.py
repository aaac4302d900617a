"""Turn parsed JSON into frozen dataclasses, checking every type, with errors that name the place.

Serves the reading path, where jsonschema may be absent. Knows exactly the types that the manifest uses: str,
int, float, ``X | None``, ``tuple[X, ...]``, ``dict[str, X]`` and dataclasses of these; any other annotation
is a defect of ours. Values are not judged here, only types and member names.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")
OPTIONAL = {"optional": True}
"""Metadata of a field that is not written where it has its default, and may be missing where it is read."""


class JsonTypeError(ValueError):
    """A JSON value has another type than its place wants; the message names both."""


def from_object(kind: type[T], value: object, place: str) -> T:
    """Build a dataclass from a JSON object with exactly the members of its fields, optional ones perhaps missing.

    Args:
        kind: A dataclass.
        value: Parsed JSON.
        place: Path of the value, for messages; empty at the top.

    Returns:
        The dataclass.

    Raises:
        JsonTypeError: When a member is missing, unknown or of another type.
    """
    members = _typed(value, dict, "an object", place)
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    names = [field.name for field in fields if field.name in members or not _is_optional(field)]
    missing = [name for name in names if name not in members]
    unknown = sorted(set(members) - set(names))
    if missing or unknown:
        what = f"lacks {missing[0]!r}" if missing else f"has {unknown[0]!r}, which this release does not know"
        raise JsonTypeError(f"{place or 'the manifest'} {what}")
    return kind(**{name: _value(hints[name], members[name], _join(place, name)) for name in names})


def to_object(value: object) -> Any:
    """Turn dataclasses into plain dicts and lists that ``json`` can write; the inverse of ``from_object``."""
    if dataclasses.is_dataclass(value):
        values = {field: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {
            field.name: to_object(item)
            for field, item in values.items()
            if not (_is_optional(field) and item == field.default)
        }
    if isinstance(value, dict):
        return {key: to_object(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [to_object(item) for item in value]
    return value


def _is_optional(field: dataclasses.Field[Any]) -> bool:
    return bool(field.metadata.get("optional"))


def _value(hint: Any, value: object, place: str) -> object:
    if hint in _SCALARS:
        return _SCALARS[hint](value, place)
    if isinstance(hint, types.UnionType):
        inner = next(argument for argument in get_args(hint) if argument is not types.NoneType)
        return None if value is None else _value(inner, value, place)
    if get_origin(hint) is tuple:
        items = _typed(value, list, "a list", place)
        return tuple(_value(get_args(hint)[0], item, f"{place}[{i}]") for i, item in enumerate(items))
    if get_origin(hint) is dict:
        members = _typed(value, dict, "an object", place)
        return {key: _value(get_args(hint)[1], item, _join(place, key)) for key, item in members.items()}
    return from_object(hint, value, place)


def _integer(value: object, place: str) -> int:
    if isinstance(value, bool):
        raise _mismatch(value, "an integer", place)
    return _typed(value, int, "an integer", place)


def _number(value: object, place: str) -> float:
    return value if isinstance(value, float) else float(_integer(value, place))


def _string(value: object, place: str) -> str:
    return _typed(value, str, "a string", place)


def _boolean(value: object, place: str) -> bool:
    return _typed(value, bool, "true or false", place)


_SCALARS: dict[Any, Callable[[object, str], object]] = {int: _integer, float: _number, str: _string, bool: _boolean}


def _typed(value: object, kind: type[T], name: str, place: str) -> T:
    if not isinstance(value, kind):
        raise _mismatch(value, name, place)
    return value


def _mismatch(value: object, name: str, place: str) -> JsonTypeError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return JsonTypeError(f"{place or 'the manifest'} is {shown}, expected {name}")


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
