"""Write the files of a shard directory: rows -> record batches -> one Arrow file; rejects as JSON lines.

The bytes of a file are a function of its rows alone. Rows are regrouped to the format's fixed batch size,
whatever batches they arrive in, and copied into buffers of exact size. Memory holds one batch at a time. What
goes into which shard is decided by the caller.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dataprep.errors import ShardError
from dataprep.shards.arrays import array_from_numpy, array_of
from dataprep.shards.arrow_file import null_column
from dataprep.shards.atomic import atomic_file
from dataprep.shards.format import (
    IGNORE_INDEX,
    LEDGER_SCHEMA,
    MEDIA_SCHEMA,
    SAMPLES_SCHEMA,
    batch_rows_of,
)
from dataprep.shards.samples import LedgerRow, Media, Reject, Sample
from dataprep.shards.storage import Place

# One setting for every machine: IPC metadata version 5, no compression, and no threads that could reorder.
_IPC_OPTIONS = pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V5, compression=None, use_threads=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardFile:
    """What was written.

    Attributes:
        file: File name without its folder.
        rows: Rows (lines) in it.
        bytes: Size in bytes.
        sha256: Hash of the whole file, 64 hexadecimal digits.
    """

    file: str
    rows: int
    bytes: int
    sha256: str


def write_arrow(
    path: Place, schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, is_durable: bool = True
) -> ShardFile:
    """Write one Arrow file atomically.

    Args:
        path: Where to; the folder must exist. An older file of that name is replaced.
        schema: One of the schemas of ``format``.
        batches: Record batches of that schema and of any size; consumed as a stream.
        is_durable: Whether it must survive a loss of power.

    Returns:
        Name, rows, size and hash of the file.

    Raises:
        ShardError: When the system refuses to write, or a batch has another schema; no file is left then.
    """
    rows = 0
    with atomic_file(path, is_durable=is_durable) as file:
        with (
            pa.PythonFile(file, mode="w") as sink,
            pa.ipc.new_file(sink, schema, options=_IPC_OPTIONS) as writer,
        ):
            for batch in regroup(path, schema, batches):
                writer.write_batch(batch)
                rows += batch.num_rows
        return ShardFile(file=path.name, rows=rows, bytes=file.bytes_written, sha256=file.sha256)


def regroup(path: Place, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of batches in batches of the format's size, the last one excepted.

    Raises:
        ShardError: When a batch has another schema, or a null where the format allows none.
    """
    size = batch_rows_of(schema)
    pending: list[pa.RecordBatch] = []
    pending_rows = 0
    for batch in batches:
        _check_batch(path, schema, batch)
        pending.append(batch)
        pending_rows += batch.num_rows
        while pending_rows >= size:
            table = pa.Table.from_batches(pending, schema)
            yield _one_batch(table.slice(0, size))
            rest = table.slice(size)
            pending, pending_rows = rest.to_batches(), rest.num_rows
    if pending_rows:
        yield _one_batch(pa.Table.from_batches(pending, schema))


def _check_batch(path: Place, schema: pa.Schema, batch: pa.RecordBatch) -> None:
    problem = None
    if not batch.schema.equals(schema):
        problem = f"a batch has the columns {batch.schema.to_string(show_schema_metadata=False)!r}"
    elif (null := null_column(batch)) is not None:
        problem = f"the column {null!r} has a null"
    if problem is not None:
        raise ShardError(
            f"cannot write {path}: {problem}, which the format does not allow. This is a defect of the code "
            f"that built the rows: please report it"
        )


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    """Copy the rows into buffers of their exact size, so that the bytes written do not tell how rows arrived."""
    arrays = []
    for column in table.columns:
        if column.num_chunks == 1 and _has_exact_buffers(column.chunk(0)):
            arrays.append(column.chunk(0))
            continue
        # With one array alone Arrow would hand on the old buffers, padding and neighbours included.
        array = pa.concat_arrays([*column.chunks, column.chunk(0).slice(0, 0)])
        arrays.append(array.take(array_from_numpy(np.arange(len(array)))) if array.null_count else array)
    return pa.RecordBatch.from_arrays(arrays, schema=table.schema)


def _has_exact_buffers(array: pa.Array) -> bool:
    """Whether ids or media, the bulk of a shard, need no copy: the array's buffers hold its rows and nothing else."""
    if pa.types.is_large_binary(array.type) and array.null_count == 0 and array.offset == 0:
        no_nulls, offsets, data = array.buffers()
        ends = np.frombuffer(offsets, np.int64)
        return bool(no_nulls is None and len(ends) == len(array) + 1 and ends[0] == 0 and ends[-1] == data.size)
    if not pa.types.is_large_list(array.type):
        return False
    no_nulls, offsets, no_null_ids, ids = array.buffers()
    return bool(
        no_nulls is None
        and no_null_ids is None
        and array.offset == array.values.offset == 0
        and offsets.size == 8 * (len(array) + 1)
        and ids.size == 4 * len(array.values)
        and array.offsets[0].as_py() == 0
        and array.offsets[-1].as_py() == len(array.values)
    )


def samples_batch(samples: Sequence[Sample]) -> pa.RecordBatch:
    """Build a samples batch; ``length`` and ``num_trained_tokens`` follow from the labels.

    Raises:
        ShardError: When a value does not fit its column.
    """
    labels = [np.asarray(sample.labels, dtype=np.int32) for sample in samples]
    columns: dict[str, object] = {
        "input_ids": _id_lists([np.asarray(sample.input_ids, dtype=np.int32) for sample in samples]),
        "labels": _id_lists(labels),
        "length": [len(sample.input_ids) for sample in samples],
        "num_trained_tokens": [int(np.count_nonzero(ids != IGNORE_INDEX)) for ids in labels],
        "images": [[_fields(image) for image in sample.images] for sample in samples],
        "boxes": [[_fields(box) for box in sample.boxes] for sample in samples],
    }
    return _batch(SAMPLES_SCHEMA, samples, columns)


def media_batch(media: Sequence[Media]) -> pa.RecordBatch:
    """Build a media batch.

    Raises:
        ShardError: When a value does not fit its column.
    """
    return _batch(MEDIA_SCHEMA, media, {})


def ledger_batch(rows: Sequence[LedgerRow]) -> pa.RecordBatch:
    """Build a ledger batch.

    Raises:
        ShardError: When a value does not fit its column.
    """
    return _batch(LEDGER_SCHEMA, rows, {})


def _batch(schema: pa.Schema, rows: Sequence[Any], columns: dict[str, object]) -> pa.RecordBatch:
    arrays = []
    for field in schema:
        values = columns.get(field.name)
        if values is None:
            values = [getattr(row, field.name) for row in rows]
        try:
            arrays.append(values if isinstance(values, pa.Array) else _array(values, field.type))
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            raise ShardError(
                f"a value does not fit the column {field.name!r} of type {field.type}: {error}. "
                f"This is a defect of the code that built the row: please report it"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    has_structs = pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)
    return pa.array(values, kind) if has_structs else array_of(values, kind)


def _id_lists(arrays: Sequence[np.ndarray[Any, np.dtype[np.int32]]]) -> pa.Array:
    offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
    np.cumsum([len(array) for array in arrays], out=offsets[1:])
    values = np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int32)
    kind = SAMPLES_SCHEMA.field("labels").type
    return pa.LargeListArray.from_arrays(array_from_numpy(offsets), array_from_numpy(values), type=kind)


def _fields(row: Any) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__slots__}


def write_rejects(path: Place, rejects: Iterable[Reject], *, is_durable: bool = True) -> ShardFile:
    """Write the rejected rows, one JSON object a line, atomically.

    Args:
        path: Where to; the folder must exist.
        rejects: In the order of the ledger; consumed as a stream.
        is_durable: Whether it must survive a loss of power.

    Returns:
        Name, lines, size and hash of the file.

    Raises:
        ShardError: When the system refuses to write; no file is left then.
    """
    rows = 0
    with atomic_file(path, is_durable=is_durable) as file:
        for reject in rejects:
            line = json.dumps(_reject_object(reject), ensure_ascii=False, separators=(",", ":"))
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")
            rows += 1
        return ShardFile(file=path.name, rows=rows, bytes=file.bytes_written, sha256=file.sha256)


def _reject_object(reject: Reject) -> dict[str, object]:
    text = reject.text.decode("utf-8", "replace")
    result: dict[str, object] = {
        "source_file": reject.source_file,
        "source_line": reject.source_line,
        "row_hash": reject.row_hash.hex(),
        "findings": [_fields(finding) for finding in reject.findings],
        "text": text,
    }
    if text.encode("utf-8") != reject.text:
        # JSON text cannot carry these bytes, and a row must come back exactly as it was.
        result["text_base64"] = base64.b64encode(reject.text).decode("ascii")
    return result
