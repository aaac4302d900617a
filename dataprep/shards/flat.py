"""Samples batches from flat columns: no object per sample, and buffers of exact size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.errors import ShardError
from dataprep.shards.arrays import array_from_numpy, array_of
from dataprep.shards.atomic import atomic_file
from dataprep.shards.format import SAMPLES_SCHEMA
from dataprep.shards.writer import ShardFile


def id_lists(offsets: NDArray[np.int64], values: NDArray[np.int32]) -> pa.Array:
    """Return a column of lists of ids."""
    kind = SAMPLES_SCHEMA.field("labels").type
    return pa.LargeListArray.from_arrays(array_from_numpy(offsets), array_from_numpy(values), type=kind)


def struct_lists(name: str, counts: Sequence[int], columns: Mapping[str, Sequence[Any]]) -> pa.Array:
    """Return a column of lists of structures.

    Args:
        name: ``images`` or ``boxes``.
        counts: How many structures each row has.
        columns: The values of each field, over all rows.

    Raises:
        ShardError: When a value does not fit its field.
    """
    kind = SAMPLES_SCHEMA.field(name).type
    fields = list(kind.value_type)
    children = [make_array(f"{name}.{field.name}", columns[field.name], field.type) for field in fields]
    structs = pa.StructArray.from_arrays(children, fields=fields)
    offsets = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:])
    return pa.ListArray.from_arrays(array_from_numpy(offsets), structs, type=kind)


def make_array(name: str, values: Any, kind: pa.DataType) -> pa.Array:
    """Return a column of values.

    Raises:
        ShardError: When a value does not fit it.
    """
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, np.ndarray):
        return array_from_numpy(values)
    try:
        return array_of(values, kind)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise ShardError(
            f"a value does not fit the column {name!r} of type {kind}: {error}. "
            f"This is a defect of the code that built the row: please report it"
        ) from error


def batch_of_columns(schema: pa.Schema, columns: Mapping[str, Any]) -> pa.RecordBatch:
    """Return a batch of columns given as arrays or as values.

    Raises:
        ShardError: When a value does not fit its column.
    """
    arrays = [make_array(field.name, columns[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def write_at_once(path: Path, schema: pa.Schema, batches: Sequence[pa.RecordBatch]) -> ShardFile:
    """Write an Arrow file that only this run reads: as the batches are, in one piece, not forced onto the disk.

    Raises:
        ShardError: When the system refuses to write; no file is left then.
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    with atomic_file(path, is_durable=False) as file:
        file.write(memoryview(sink.getvalue()))
        rows = sum(batch.num_rows for batch in batches)
        return ShardFile(file=path.name, rows=rows, bytes=file.bytes_written, sha256=file.sha256)
