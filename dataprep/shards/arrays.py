"""Python values -> Arrow arrays, buffer by buffer.

``pa.array`` does the same, but imports pandas where that is installed: a quarter of a second and 50 MB in every
process, more than it takes to convert a thousand rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_CODES: dict[Any, str] = {pa.int8(): "b", pa.int16(): "h", pa.int32(): "i", pa.int64(): "q", pa.float32(): "f"}


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return an array of Python values; None is null.

    Args:
        values: Numbers, texts, bytes or lists of these, as the type asks for.
        kind: A type of the shard format.

    Raises:
        TypeError: When a value is of another type.
        OverflowError: When a number is too large.
        ValueError: When a text is no Unicode text, or bytes have another length than the type.
    """
    try:
        return _build(values, kind, None, 0)
    except TypeError:
        missing = [value is None for value in values]
        if not any(missing):
            raise
    empty = _empty_value(kind)
    valid = pa.py_buffer(np.packbits(~np.array(missing), bitorder="little"))
    return _build([empty if value is None else value for value in values], kind, valid, sum(missing))


def _build(values: Sequence[Any], kind: pa.DataType, valid: pa.Buffer | None, nulls: int) -> pa.Array:
    count = len(values)
    if kind in _CODES:
        return pa.Array.from_buffers(kind, count, [valid, pa.py_buffer(array(_CODES[kind], values))], nulls)
    if pa.types.is_list(kind):
        child = array_of(list(chain.from_iterable(values)), kind.value_type)
        return pa.Array.from_buffers(kind, count, [valid, _offsets(values, "i")], nulls, children=[child])
    if pa.types.is_fixed_size_binary(kind):
        if set(map(len, values)) - {kind.byte_width}:
            raise ValueError(f"bytes of another length than {kind.byte_width}")
        return pa.Array.from_buffers(kind, count, [valid, pa.py_buffer(b"".join(values))], nulls)
    pieces, text = values, ""
    if _is_text(kind):
        text = "".join(values)
        pieces = values if text.isascii() else list(map(str.encode, values))
    data = text.encode() if pieces is values and _is_text(kind) else b"".join(pieces)
    is_large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    offsets = _offsets(pieces, "q" if is_large else "i")
    return pa.Array.from_buffers(kind, count, [valid, offsets, pa.py_buffer(data)], nulls)


def array_from_numpy(values: NDArray[Any]) -> pa.Array:
    """Return numbers as an Arrow array, not copied."""
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, buffer])


def _offsets(values: Sequence[Any], code: str) -> pa.Buffer:
    return pa.py_buffer(array(code, accumulate(map(len, values), initial=0)))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _empty_value(kind: pa.DataType) -> Any:
    if kind in _CODES:
        return 0
    if _is_text(kind):
        return ""
    return bytes(kind.byte_width) if pa.types.is_fixed_size_binary(kind) else b""
