"""The samples of an older conversion, found by the hash of their rows, for the conversion that replaces it.

What is taken over of a row is what text, tokenizer and the sizes of its images decide: ids, labels, prompt, response
and boxes. The row itself, its media and the rules that look at them are read and asked anew, so that a changed file
never goes unnoticed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dataprep.shards.arrow_file import ArrowTable
from dataprep.shards.columns import numbers
from dataprep.shards.format import CONVERTED, HASH_BYTES, LEDGER_NAME, LEDGER_SCHEMA, SAMPLES_SCHEMA
from dataprep.shards.manifest import read_manifest

_KEPT_BATCHES = 64

Placed: TypeAlias = tuple[str, int, int, int, int]
"""Kind, width, height, video and frame index of an image or frame of a sample."""


@dataclass(frozen=True, slots=True)
class _BatchView:
    """A batch of samples, and its images as Python values: where each row's begin, and all of them."""

    batch: pa.RecordBatch
    starts: list[int]
    images: list[Placed]


class OldSamples:
    """The converted rows of a shard directory; files are mapped when first used.

    Attributes:
        checksum: That of the manifest.
    """

    def __init__(self, directory: Path) -> None:
        """Read the ledger; the hashes of the files must have been checked before.

        Args:
            directory: The shard directory.

        Raises:
            ShardError: If it cannot be read, or is damaged.
        """
        manifest = read_manifest(directory)
        self.checksum = manifest.checksum
        self._tables = [ArrowTable(directory / s.file, SAMPLES_SCHEMA, s.rows) for s in manifest.sample_shards]
        starts = np.cumsum([0, *(shard.rows for shard in manifest.sample_shards)], dtype=np.int64)
        self._starts: list[int] = starts.tolist()
        images = (lists for table in self._tables for lists in table.column("images"))
        self._has_images = b"".join((np.diff(numbers(lists.offsets)) > 0).tobytes() for lists in images)
        self._views: dict[int, _BatchView] = {}
        self._codes: dict[int, tuple[str, ...]] = {}
        ledger = ArrowTable(directory / LEDGER_NAME, LEDGER_SCHEMA, manifest.ledger.rows_in)
        found = [self._read_ledger(batch, starts) for batch in ledger.checked_batches()]
        hashes = np.concatenate([np.zeros((0, HASH_BYTES), np.uint8), *(hashes for hashes, _ in found)])
        rows = np.concatenate([np.zeros(0, np.int64), *(rows for _, rows in found)])
        keys = _keys(hashes)
        order = np.argsort(keys, kind="stable")  # of rows with the same content the first counts
        self._keys, self._hashes, self._rows = keys[order], hashes[order], rows[order]

    def _read_ledger(
        self, batch: pa.RecordBatch, starts: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return hash and row number of each converted row, and keep its codes."""
        batch = batch.filter(pc.equal(batch.column("outcome"), CONVERTED))
        rows = starts[numbers(batch.column("shard"))] + numbers(batch.column("row_in_shard"))
        lists = batch.column("codes")
        for place in np.flatnonzero(np.diff(numbers(lists.offsets))).tolist():
            self._codes[int(rows[place])] = tuple(lists[place].as_py())
        return _hash_bytes(batch.column("row_hash")), rows

    def find(self, hashes: Sequence[bytes]) -> list[int]:
        """Return for each hash of a row the number of its sample over all shards; -1 where there is none."""
        if not hashes or not len(self._keys):
            return [-1] * len(hashes)
        wanted = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES)
        places = np.minimum(np.searchsorted(self._keys, _keys(wanted)), len(self._keys) - 1)
        is_same = (self._hashes[places] == wanted).all(axis=1)
        return np.where(is_same, self._rows[places], -1).tolist()  # type: ignore[no-any-return]

    def codes(self, row: int) -> tuple[str, ...]:
        """Return the rule codes of a sample's row."""
        return self._codes.get(row, ())

    def images(self, row: int) -> list[Placed]:
        """Return the images and frames of a sample."""
        if not self._has_images[row]:
            return []
        view, local = self._locate(row)
        return view.images[view.starts[local] : view.starts[local + 1]]

    def slices(self, first: int, count: int) -> Iterator[pa.RecordBatch]:
        """Yield consecutive samples as views of the mapped files."""
        while count:
            view, local = self._locate(first)
            taken = min(count, view.batch.num_rows - local)
            yield view.batch.slice(local, taken)
            first, count = first + taken, count - taken

    def _locate(self, row: int) -> tuple[_BatchView, int]:
        shard = bisect_right(self._starts, row) - 1
        table, local = self._tables[shard], row - self._starts[shard]
        number = local // table.batch_rows
        key = self._starts[shard] + number * table.batch_rows
        view = self._views.get(key)
        if view is None:
            if len(self._views) >= _KEPT_BATCHES:
                del self._views[next(iter(self._views))]
            view = self._views[key] = _view(table.batch(number))
        return view, local % table.batch_rows


def _view(batch: pa.RecordBatch) -> _BatchView:
    lists = batch.column("images")
    fields: dict[str, Any] = {field.name: lists.values.field(field.name) for field in lists.values.type}
    kinds = fields["kind"].to_pylist()
    whole = [numbers(fields[name]).tolist() for name in ("width", "height", "video", "frame_index")]
    return _BatchView(batch, numbers(lists.offsets).tolist(), list(zip(kinds, *whole, strict=True)))


def _hash_bytes(column: pa.Array) -> NDArray[np.uint8]:
    data = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    start = column.offset * HASH_BYTES
    return data[start : start + len(column) * HASH_BYTES].reshape(-1, HASH_BYTES)


def _keys(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the first half of each hash as a number."""
    return np.ascontiguousarray(hashes[:, :8]).view(np.uint64).reshape(-1)
