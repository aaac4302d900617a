"""Parse the bytes of one row strictly, or say why that is not possible.

Stricter than Python's own parser: no key twice, no NaN, no half of a surrogate pair, no nesting beyond all use.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from dataprep.sources import MAX_ROW_BYTES, RawRow

MAX_DEPTH = 200  # nesting of one row; real rows need fewer than ten


@dataclass(frozen=True, slots=True)
class ParseProblem:
    """Why a row could not be parsed.

    Attributes:
        kind: ``invalid-json``, ``cut-off``, ``not-rows``, ``invalid-utf8``, ``duplicate-key``, ``non-finite-number``,
            ``lone-surrogate``, ``nested-too-deep``, ``too-long`` or ``not-an-object``.
        detail: The cause in words, with the column or key.
    """

    kind: str
    detail: str


class _Refused(ValueError):
    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.problem = ParseProblem(kind, detail)


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise _Refused("duplicate-key", f"the key {twice!r} occurs twice in one object")
    return value


def _refuse_constant(name: str) -> float:
    raise _Refused("non-finite-number", f"{name} is not a JSON number")


def _parse_float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _Refused("non-finite-number", f"the number {digits[:40]} is too large")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant, parse_float=_parse_float
)


def parse_row(raw: RawRow) -> tuple[dict[str, object] | None, ParseProblem | None]:
    """Parse a row strictly.

    Returns:
        The row and None, or None and the reason.
    """
    if raw.foreign:
        return None, ParseProblem("not-rows", raw.foreign)
    if raw.is_too_long:
        return None, ParseProblem("too-long", f"the row is longer than {MAX_ROW_BYTES >> 20} MiB")
    try:
        value = _DECODER.decode(raw.text.decode("utf-8"))
    except UnicodeDecodeError as error:
        return None, ParseProblem("invalid-utf8", f"byte {error.start + 1} is not valid UTF-8")
    except _Refused as error:
        return None, error.problem
    except json.JSONDecodeError as error:
        return None, _explain_syntax(raw, error)
    except RecursionError:
        return None, ParseProblem("nested-too-deep", f"nested more than {MAX_DEPTH} levels deep")
    except ValueError as error:  # an integer of thousands of digits
        return None, ParseProblem("non-finite-number", str(error).partition(";")[0])
    if raw.is_unclosed:
        return None, ParseProblem("cut-off", "the file ends before the array is closed")
    if not isinstance(value, dict):
        return None, ParseProblem("not-an-object", f"a row must be a JSON object, this is {_name_type(value)}")
    return value, _find_structure_problem(value, raw.text)


def parse_embedded(text: str) -> object:
    """Parse JSON that a row holds as text, as strictly as the row itself.

    Raises:
        ValueError: If it is not such JSON; the message says why.
    """
    try:
        value: object = _DECODER.decode(text)
    except _Refused as error:
        raise ValueError(error.problem.detail) from error
    except RecursionError as error:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep") from error
    problem = _find_structure_problem(value, text.encode("utf-8"))
    if problem is not None:
        raise ValueError(problem.detail)
    return value


def _explain_syntax(raw: RawRow, error: json.JSONDecodeError) -> ParseProblem:
    if not raw.text:
        return ParseProblem("invalid-json", "a comma in the array has no row beside it")
    place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} of the row"
    text = error.doc.rstrip()
    last = len(text) - 1
    is_closed = error.pos == last and text[last:] in ("}", "]")  # a bracket in the wrong place is no end of the file
    is_at_end = (error.pos >= last and not is_closed) or error.msg.startswith("Unterminated string")
    if is_at_end and (raw.ends_file or raw.is_unclosed):
        return ParseProblem("cut-off", f"the file ends in the middle of this row ({place})")
    return ParseProblem("invalid-json", f"{error.msg.removesuffix(' starting at').removesuffix(' at')} at {place}")


def _find_structure_problem(value: object, text: bytes) -> ParseProblem | None:
    if b"\\ud" in text or b"\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            return ParseProblem("lone-surrogate", "a \\ud800-\\udfff escape without its other half is no character")
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        return ParseProblem("nested-too-deep", f"nested more than {MAX_DEPTH} levels deep")
    return None


def _depth(value: object) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return depth


def _name_type(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
