"""Hold a parsed row against its JSON Schema and say in words what does not fit.

The schemas are the definition of a row's shape. Most rows are fine, and a typed conversion by msgspec accepts
those quickly; a row that it does not accept goes to the full validator, which has the last word. A property test
proves that the fast path accepts nothing that the schema refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec

from dataprep.wording import counted
from schemas import load_schema

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_ROW_SCHEMAS = ("native", "alpaca", "messages", "conversations")
_TYPE_WORDS = {
    "string": "text", "null": "null", "array": "a list", "object": "an object",
    "number": "a number", "integer": "a whole number", "boolean": "true or false",
}  # fmt: skip


_SplitName: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,64}$(?!\n)")]
"""As in the schemas: the name of a split goes into shards and command lines."""


@dataclass(frozen=True, slots=True)
class ShapeProblem:
    """Why a row is not what its schema says.

    Attributes:
        kind: ``wrong-shape``, ``history-pair``, ``role-order``, ``unknown-format``, ``mixed-formats``,
            ``object-shape``, ``bbox-type`` or ``image-index``.
        field: JSON path inside the row.
        message: What is wrong, with the value.
        help: One next step, or None.
    """

    kind: str
    field: str
    message: str
    help: str | None = None


class _Row(msgspec.Struct):
    split: _SplitName | None = None
    images: str | list[str | None] | None = None
    videos: str | list[str | None] | None = None
    system: str | None = None
    history: list[tuple[str, str]] | None = None


class _Native(_Row):
    query: str | None = None
    response: str | None = None


class _Alpaca(_Row, kw_only=True):
    instruction: str
    input: str | None = None
    output: str | None = None


_FAST_TYPES: dict[str, type[_Row]] = {"native": _Native, "alpaca": _Alpaca}


@cache
def _validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    registry: Registry[Any] = Registry()
    for part in ("object", "objects.columns"):
        registry = registry.with_resource(f"dataprep:{part}", Resource.from_contents(load_schema(part)))
    return Draft202012Validator(load_schema(name), registry=registry)


def is_accepted_fast(row: dict[str, object], row_format: str) -> bool:
    """Whether the typed conversion accepts a row; objects must be absent, null or text."""
    fast_type = _FAST_TYPES.get(row_format)
    if fast_type is None or not isinstance(row.get("objects"), str | None):
        return False
    if row_format == "native" and "query" not in row and "response" not in row:
        return False
    try:
        msgspec.convert(row, fast_type, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def check_row(row: dict[str, object], row_format: str) -> list[ShapeProblem]:
    """Return what keeps a row from being of its format; empty if nothing does.

    Args:
        row: A parsed row.
        row_format: ``native``, ``alpaca``, ``messages`` or ``conversations``.
    """
    assert row_format in _ROW_SCHEMAS
    objects, problems = row.get("objects"), []
    if isinstance(objects, list):
        # Entry by entry: most are plain, and the schema of the row would only say that the list does not fit.
        problems = [p for i, entry in enumerate(objects) for p in check_object_quickly(entry, f"objects[{i}]")]
        row = {**row, "objects": None}
    if is_accepted_fast(row, row_format):
        return problems
    errors = _validator(f"row.{row_format}").iter_errors(row)
    return [_describe(error, "") for error in errors] + problems


def check_object(value: object, field: str) -> list[ShapeProblem]:
    """Return what keeps one entry of ``objects`` from being a grounded object."""
    return [_describe(error, field) for error in _validator("object").iter_errors(value)]


def check_columns(value: object, field: str) -> list[ShapeProblem]:
    """Return what keeps a value from being grounded objects as columns."""
    return [_describe(error, field) for error in _validator("objects.columns").iter_errors(value)]


def check_object_quickly(entry: Any, name: str) -> list[ShapeProblem]:
    """Return what is wrong with an object, running the full validator only where it may be wrong."""
    is_plain = (
        type(entry) is dict
        and entry.get("bbox_type") in ("real", "norm_1", "norm_1000")
        and type(entry.get("image")) is int
        and entry["image"] >= 0
        and type(entry.get("caption", "")) is str
        and type(entry.get("bbox")) is list
        and len(entry["bbox"]) == 4
        and all(type(number) in (int, float) for number in entry["bbox"])
    )
    return [] if is_plain else check_object(entry, name)


def _describe(error: ValidationError, prefix: str) -> ShapeProblem:
    error = _find_cause(error)
    path = _format_path(error.absolute_path, prefix)
    return ShapeProblem(_kind(path, error), path, _sentence(error, path), _help(path, error))


def _help(path: str, error: ValidationError) -> str | None:
    value = error.instance
    is_point = "bbox" in path and isinstance(value, list) and len(value) == 2
    return "a point is no box: write a small box around it, or leave the row out" if is_point else None


def _find_cause(error: ValidationError) -> ValidationError:
    """Return the error inside the branch of an anyOf that the value comes nearest to; itself if it is of no branch."""
    while error.context:
        branches: dict[str | int, list[ValidationError]] = {}
        for inner in error.context:
            branches.setdefault(inner.relative_schema_path[0], []).append(inner)
        near = [found for found in branches.values() if all(e.validator != "type" or e.relative_path for e in found)]
        if not near:
            return error
        error = min(near, key=len)[0]
    return error


def _format_path(path: Iterable[str | int], prefix: str) -> str:
    text = prefix
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _kind(path: str, error: ValidationError) -> str:
    if path.startswith("objects"):
        if path.endswith("bbox_type") and error.validator == "enum":
            return "bbox-type"
        return "image-index" if path.endswith(".image") and error.validator == "minimum" else "object-shape"
    return "history-pair" if path.startswith("history") else "wrong-shape"


def _sentence(error: ValidationError, path: str) -> str:
    name, value = path or "the row", error.instance
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator in ("type", "anyOf"):
        return f"{name} is {name_type(value)}, expected {_expected(schema)}"
    if error.validator == "enum":
        choices = ", ".join(str(choice) for choice in schema["enum"] if choice is not None)
        return f"{name} is {shorten(value)}, expected one of {choices}"
    if error.validator == "pattern":
        return f"{name} is {shorten(value)}, expected a name of lower-case letters, digits, _ and -, such as val"
    if error.validator == "required":
        return f"{name} lacks {error.message.split(' is a required')[0]}"
    if error.validator in ("minItems", "maxItems", "items") and isinstance(value, list):
        low, high = schema.get("minItems"), schema.get("maxItems")
        wanted = f"{low}" if low == high else f"{low} or more"
        return f"{name} has {counted(len(value), 'entry', 'entries')}, expected {wanted}: {shorten(value)}"
    return f"{name}: {error.message[:200]}"


def _expected(schema: Any) -> str:
    branches = schema.get("anyOf", [schema])
    types = [t for b in branches for t in ([b["type"]] if isinstance(b.get("type"), str) else b.get("type", []))]
    return " or ".join(_TYPE_WORDS.get(t, t) for t in dict.fromkeys(types)) or "another shape"


def name_type(value: object) -> str:
    """Return the JSON type of a value in words."""
    if isinstance(value, bool):
        return "true or false"
    names: dict[type, str] = {
        str: "text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")


def shorten(value: object, limit: int = 80) -> str:
    """Return a value for a message, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
