"""Arrays built without pa.array are those of pa.array, and refuse what does not fit."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataprep.shards.arrays import array_from_numpy, array_of

TEXTS = ["", "a", "Straße 你好", None, "x" * 300]
CODES = pa.list_(pa.field("item", pa.string(), nullable=False))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        *(([0, 5, -3, 127], kind) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32())),
        ([1, None, 2**62, None], pa.int64()),
        ([0.1, -1e30, 3], pa.float32()),
        *((TEXTS, kind) for kind in (pa.string(), pa.large_string())),
        (["plain", "ascii"], pa.string()),
        ([b"", b"ab", None], pa.large_binary()),
        ([bytes(16), b"0123456789abcdef", None], pa.binary(16)),
        ([["L601", "ä"], [], ["x"]], CODES),
        *(([], kind) for kind in (pa.int32(), pa.string(), pa.binary(16), CODES)),
    ],
)
def test_values_are_those_of_pyarrow(values: list[Any], kind: pa.DataType) -> None:
    made = array_of(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))
    assert made.null_count == values.count(None)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([2**31], pa.int32()),
        ([1.5], pa.int32()),
        (["1"], pa.int64()),
        ([3], pa.string()),
        (["ä", 3], pa.string()),
        (["\ud800"], pa.string()),
        ([b"short"], pa.binary(16)),
        (["text"], pa.large_binary()),
    ],
)
def test_what_does_not_fit_is_refused(values: list[Any], kind: pa.DataType) -> None:
    with pytest.raises((OverflowError, TypeError, ValueError)):
        array_of(values, kind)


def test_numbers_of_numpy_are_not_copied() -> None:
    numbers = np.arange(6, dtype=np.int32)
    made = array_from_numpy(numbers)
    assert made.equals(pa.array([0, 1, 2, 3, 4, 5], pa.int32()))
    assert made.buffers()[1].address == numbers.ctypes.data


def test_pandas_is_not_imported() -> None:
    code = (
        "import sys, pyarrow as pa; from dataprep.shards.arrays import array_of; "
        "array_of(['a', None], pa.string()); array_of([1], pa.int64()); assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
