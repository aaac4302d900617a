"""Read a shard directory: row number -> (shard, batch, row) -> numpy views of the mapped file.

Needs pyarrow and numpy only. Opening checks the format version, the manifest's checksum and the size of every
file; hashes are checked on request, because that reads everything. A row is found by its number in constant
time; files are mapped when first used, so that worker processes get a small object and map their own.
Any damage surfaces as a ``ShardError`` that names the file, never as an Arrow error.

It decodes no image and moves nothing to a device.
"""

from __future__ import annotations

import operator
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.errors import ShardError, ShardFormatError
from dataprep.shards.arrow_file import DAMAGE, ArrowTable, check_hash, check_size
from dataprep.shards.columns import MediaColumns, SampleColumns, numbers, tiles_per_row
from dataprep.shards.format import MEDIA_EMBED, MEDIA_SCHEMA, SAMPLES_SCHEMA, VIDEO_FORMATS
from dataprep.shards.manifest import Manifest, MediaShard, SampleShard, read_manifest
from dataprep.shards.samples import Media, Sample, SampleBox, SampleImage
from dataprep.shards.storage import Place, to_place

__all__ = ["Media", "Sample", "SampleBox", "SampleImage", "Shards", "open_shards"]

_CACHED_BATCHES = 2048
_CACHED_REMOTE_BATCHES = 16  # these lie in memory, 5 to 10 MB each
_COLUMNS: dict[str, tuple[str, Callable[[pa.Array], NDArray[Any]]]] = {
    "length": ("length", numbers),
    "num_trained_tokens": ("num_trained_tokens", numbers),
    "source_line": ("source_line", numbers),
    "tiles": ("images", tiles_per_row),
}
"""By name: the column of the file that they are in, and how to get them from it."""


def open_shards(path: str | Place, *, media_root: str | Path | None = None, check: bool = False) -> Shards:
    """Open a shard directory for reading.

    Args:
        path: The directory, or its URI in a store.
        media_root: Folder that linked media lie under, instead of the manifest's; for shards that were moved.
        check: Also compare the SHA-256 of every file, which reads all of them.

    Returns:
        The shards; cheap to pickle.

    Raises:
        ShardVersionError: When the format version is not one that this release reads.
        ShardHashError: When the manifest, or with ``check`` a file, is not what was written.
        ShardFormatError: When there is no manifest, or a file is missing or has another size.
        StorageError: When a store cannot be reached or refuses.
    """
    directory = to_place(path)
    manifest = read_manifest(directory)
    for name, entry in manifest.all_files().items():
        check_size(directory / name, entry.bytes)
        if check:
            check_hash(directory / name, entry.sha256)
    return Shards(directory, manifest, media_root=media_root)


C = TypeVar("C", SampleColumns, MediaColumns)


class _Views(Generic[C]):
    """Column views of batches, the newest ones kept: building one costs more than reading a row. Thread-safe."""

    def __init__(self, build: Callable[[pa.RecordBatch], C]) -> None:
        self._build: Callable[[pa.RecordBatch], C] = build
        self._kept: dict[tuple[ArrowTable, int], C] = {}
        self._lock = threading.Lock()

    def get(self, table: ArrowTable, number: int) -> C:
        key = (table, number)
        columns = self._kept.get(key)
        if columns is None:
            try:
                columns = self._build(table.batch(number))
            except DAMAGE as error:
                raise table.damaged(error) from error
            with self._lock:
                if len(self._kept) >= (_CACHED_BATCHES if isinstance(table.path, Path) else _CACHED_REMOTE_BATCHES):
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = columns
        return columns

    def __reduce__(self) -> tuple[type[_Views[C]], tuple[Callable[[pa.RecordBatch], C]]]:
        return type(self), (self._build,)


class Shards:
    """The samples and media of a shard directory, by number.

    Rows are numbered over all samples shards in the manifest's order, media over all media shards. Iterating
    gives every sample. The object holds no open file until a row is read, and pickles without them.

    Attributes:
        directory: The folder.
        manifest: Its manifest.
    """

    def __init__(self, directory: Place, manifest: Manifest, *, media_root: str | Path | None = None) -> None:
        """Take a checked manifest; use ``open_shards``."""
        self.directory = directory
        self.manifest = manifest
        # Linked media lie on a disk, wherever the shards are.
        base = directory if isinstance(directory, Path) else Path()
        stored = None if manifest.media_root is None else base / manifest.media_root
        self._media_root = stored if media_root is None else Path(media_root)
        self._samples = self._tables(manifest.sample_shards, SAMPLES_SCHEMA)
        self._media = self._tables(manifest.media_shards, MEDIA_SCHEMA)
        self._sample_starts = _starts(self._samples)
        self._media_starts = _starts(self._media)
        self._sample_views: _Views[SampleColumns] = _Views(SampleColumns)
        self._media_views: _Views[MediaColumns] = _Views(MediaColumns)

    def _tables(self, entries: tuple[SampleShard, ...] | tuple[MediaShard, ...], schema: pa.Schema) -> list[ArrowTable]:
        return [ArrowTable(self.directory / entry.file, schema, entry.rows) for entry in entries]

    def __len__(self) -> int:
        return self._sample_starts[-1]

    @property
    def num_media(self) -> int:
        """Number of media rows over all media shards."""
        return self._media_starts[-1]

    def __getitem__(self, row: int) -> Sample:
        """Read one sample; its arrays are read-only views that keep the file mapped.

        Raises:
            IndexError: When there is no such row; negative numbers are not taken.
            ShardFormatError: When the file is damaged.
        """
        number = operator.index(row)
        table, local = _locate(self._samples, self._sample_starts, number, "row")
        columns = self._sample_views.get(table, local // table.batch_rows)
        try:
            return columns.sample(local % table.batch_rows, number)
        except DAMAGE as error:
            raise table.damaged(error) from error

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    def media(self, number: int) -> Media:
        """Read one media row, with a copy of its bytes where they are embedded.

        Raises:
            IndexError: When there is no such number.
            ShardFormatError: When the file is damaged.
        """
        table, local = _locate(self._media, self._media_starts, operator.index(number), "media")
        columns = self._media_views.get(table, local // table.batch_rows)
        try:
            return columns.media(local % table.batch_rows)
        except DAMAGE as error:
            raise table.damaged(error) from error

    def rows(self, split: str | None = None) -> NDArray[np.int64]:
        """Return the row numbers of a split, ascending; of all splits for None.

        Raises:
            ShardError: When there is no such split; the message lists those that exist.
        """
        if split is None:
            return np.arange(len(self), dtype=np.int64)
        if split not in self.manifest.splits:
            names = ", ".join(sorted(self.manifest.splits)) or "none"
            raise ShardError(f"{self.directory}: no split {split!r}; its splits: {names}")
        parts = [
            np.arange(start, start + entry.rows, dtype=np.int64)
            for start, entry in zip(self._sample_starts[:-1], self.manifest.sample_shards, strict=True)
            if entry.split == split
        ]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

    def column(self, name: str) -> NDArray[np.int64]:
        """Return one number for every row, int64.

        Args:
            name: ``length``, ``num_trained_tokens``, ``source_line``, or ``tiles`` (sum over the row's images).

        Raises:
            ShardError: When there is no such column of numbers.
            ShardFormatError: When a file is damaged.
        """
        if name not in _COLUMNS:
            raise ShardError(f"no column of numbers {name!r}; there are {', '.join(_COLUMNS)}")
        parts = [np.zeros(0, dtype=np.int64)]
        column, numbers_of = _COLUMNS[name]
        for table in self._samples:
            try:
                parts += [np.array(numbers_of(array), dtype=np.int64) for array in table.column(column)]
            except DAMAGE as error:
                raise table.damaged(error) from error
        return np.concatenate(parts)

    def sample_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the record batches of all samples shards in order, as views of the mapped files.

        Raises:
            ShardFormatError: When a file is damaged.
        """
        for table in self._samples:
            yield from table.checked_batches()

    def media_path(self, media: Media) -> Path:
        """Return the file behind linked media, checked to be the one that was converted.

        Raises:
            ShardError: When the media are embedded, no root is known, or the file is missing or was changed.
        """
        if self._media_root is None or media.path is None:
            raise ShardError(
                f"{self.directory}: media {media.path!r} has no file: the shards embed their media, or the "
                f"media root is unknown; use read_media, or pass media_root to open_shards"
            )
        path = self._media_root / media.path
        try:
            status = path.stat()
        except OSError as error:
            raise ShardError(
                f"linked media {path}: {error.strerror}; restore it, or pass media_root if the media moved"
            ) from error
        if (status.st_size, status.st_mtime_ns) != (media.size, media.mtime_ns):
            raise ShardError(
                f"linked media {path} changed since conversion: {status.st_size} bytes, modified at "
                f"{status.st_mtime_ns} ns; the shards say {media.size} bytes, {media.mtime_ns} ns; convert again"
            )
        return path

    def read_media(self, media: Media) -> bytes:
        """Return the encoded image: the stored bytes, or those of the linked file.

        A frame of a linked video has no bytes of its own: decode it from ``media_path`` with the sample's
        ``frame_index``.

        Raises:
            ShardError: When the linked file is missing, was changed, or is a video.
        """
        if self.manifest.media_mode == MEDIA_EMBED:
            if media.bytes is None:
                raise ShardFormatError(f"{self.directory}: embedded media without bytes; run 'dataprep verify'")
            return media.bytes
        if media.path is None and media.bytes is not None:
            return media.bytes  # inline data or a URL: there was no file to link to
        path = self.media_path(media)
        if media.format in VIDEO_FORMATS:
            raise ShardError(f"linked media {path} is a video, not an image; decode its frame from media_path")
        try:
            return path.read_bytes()
        except OSError as error:
            raise ShardError(f"linked media {path}: {error.strerror}; restore it or convert again") from error


def _starts(tables: list[ArrowTable]) -> list[int]:
    return [0, *np.cumsum([table.num_rows for table in tables], dtype=np.int64).tolist()]


def _locate(tables: list[ArrowTable], starts: list[int], number: int, what: str) -> tuple[ArrowTable, int]:
    if not 0 <= number < starts[-1]:
        raise IndexError(f"{what} {number} of {starts[-1]}")
    shard = bisect_right(starts, number) - 1
    return tables[shard], number - starts[shard]
