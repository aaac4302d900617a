"""One Arrow file of a shard directory: checked, memory-mapped when first used, read batch by batch.

Any damage surfaces as a ``ShardError`` that names the file, never as an Arrow error. Rows of a batch are views of
the mapped file. What the columns mean is not known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from dataprep.errors import ShardFormatError, ShardHashError
from dataprep.shards.format import batch_rows_of
from dataprep.shards.storage import Place, RemotePath

DAMAGE = (pa.ArrowException, OSError, ValueError, IndexError, OverflowError)
"""What reading a damaged file can raise inside pyarrow and numpy."""


def check_size(path: Place, expected: int) -> None:
    """Raise ShardFormatError unless the file exists with this size in bytes."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ShardFormatError(f"{path}: {error.strerror}; restore the file or convert again") from error
    if size != expected:
        raise ShardFormatError(
            f"{path}: {size:,} bytes, the manifest says {expected:,}; copy the file again or convert again"
        )


def check_hash(path: Place, expected: str) -> None:
    """Raise ShardHashError unless the file's SHA-256 is this one."""
    try:
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ShardFormatError(f"{path}: {error.strerror}; restore the file or convert again") from error
    if actual != expected:
        raise ShardHashError(
            f"{path}: sha256 {actual}, the manifest says {expected}; copy the file again or convert again"
        )


def null_column(batch: pa.RecordBatch) -> str | None:
    """Name the first column that has a null, at any depth, though its schema allows none; None for a sound batch."""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not field.nullable and _has_null(column):
            return str(field.name)
    return None


def _has_null(array: pa.Array) -> bool:
    if array.null_count:
        return True
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return _has_null(array.values)
    return pa.types.is_struct(array.type) and any(map(_has_null, array.flatten()))


class ArrowTable:
    """One Arrow file of the format, memory-mapped when first used."""

    def __init__(self, path: Place, schema: pa.Schema, num_rows: int) -> None:
        """Describe the file; nothing is opened yet.

        Args:
            path: The file.
            schema: The schema that the format wants.
            num_rows: Rows that the manifest says it holds.
        """
        self.path = path
        self.num_rows = num_rows
        self.batch_rows = batch_rows_of(schema)
        self.num_batches = -(-num_rows // self.batch_rows)
        self._schema = schema
        self._file: Any = None

    def batch(self, number: int) -> pa.RecordBatch:
        """Return one record batch as views of the file.

        Raises:
            ShardFormatError: When the file is damaged.
        """
        try:
            if self._file is None:
                self._file = self._open()
            return self._sound(self._file, number)
        except DAMAGE as error:
            raise self.damaged(error) from error

    def _sound(self, file: Any, number: int) -> pa.RecordBatch:
        batch = file.get_batch(number)
        batch.validate()
        expected = min(self.batch_rows, self.num_rows - number * self.batch_rows)
        if batch.num_rows != expected:
            raise ValueError(f"batch {number} has {batch.num_rows} rows, expected {expected}")
        return batch

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all record batches in order."""
        return map(self.batch, range(self.num_batches))

    def column(self, name: str) -> Iterator[pa.Array]:
        """Yield one column batch by batch: Arrow then reads and decodes no other.

        By positioned reads: a mapped page costs a fault, and a batch needs two of them for a few kilobytes. Do not keep
        the arrays: behind each of them stands memory for its whole batch.

        Raises:
            ShardFormatError: When the file is damaged.
        """
        options = pa.ipc.IpcReadOptions(included_fields=[self._schema.get_field_index(name)], use_threads=False)
        try:
            self._open()  # which checks the schema
            file = pa.ipc.open_file(self._ranges() or pa.OSFile(str(self.path)), options=options)
            for number in range(self.num_batches):
                yield self._sound(file, number).column(0)
        except DAMAGE as error:
            raise self.damaged(error) from error

    def checked_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all record batches in order, each checked value by value, which reads all of it.

        Raises:
            ShardFormatError: When the file is damaged, or has a null where the format allows none.
        """
        for batch in self.batches():
            try:
                batch.validate(full=True)
                null = null_column(batch)
            except DAMAGE as error:
                raise self.damaged(error) from error
            if null is not None:
                raise self.damaged(f"the column {null!r} has a null")
            yield batch

    def _open(self) -> Any:
        file = pa.ipc.open_file(self._ranges() or pa.memory_map(str(self.path)))
        if not file.schema.equals(self._schema):
            raise ValueError(f"the columns are {file.schema.to_string(show_schema_metadata=False)!r}")
        if file.num_record_batches != self.num_batches:
            raise ValueError(f"{file.num_record_batches} record batches, expected {self.num_batches}")
        return file

    def _ranges(self) -> Any:
        """Return the file of a store, which is read by ranges; None for one on a disk."""
        return pa.PythonFile(self.path.open_ranges(), mode="r") if isinstance(self.path, RemotePath) else None

    def damaged(self, reason: object) -> ShardFormatError:
        """Build the error for a file that is not what the format says."""
        text = " ".join(str(reason).split())
        return ShardFormatError(
            f"{self.path}: not a shard of this format or damaged: {text}; "
            f"run 'dataprep verify' on its folder, then copy the file again or convert again"
        )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}
