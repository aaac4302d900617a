"""One record batch as numpy views of the mapped file: nothing is copied until a row is asked for.

A view is built once per batch and checks the offsets of every list and text in it, because a damaged offset
would otherwise read a neighbour's memory. After that a row is a few slices: of numpy arrays where arrays are handed
out, else of memory views, which give Python numbers in half the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.shards.samples import Media, Sample, SampleBox, SampleImage

_DTYPES: dict[int, type[np.number[Any]]] = {
    pa.int8().id: np.int8,
    pa.int16().id: np.int16,
    pa.int32().id: np.int32,
    pa.int64().id: np.int64,
    pa.float32().id: np.float32,
}
_KIND = SampleImage.__slots__.index("kind")


class Texts:
    """A column of strings or byte strings of any length."""

    def __init__(self, array: pa.Array) -> None:
        wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
        _, offsets, data = array.buffers()
        self._data = memoryview(data if data is not None else b"")
        dtype = np.int64 if wide else np.int32
        self._offsets = _checked_offsets(offsets, dtype, len(array), len(self._data)).data
        self._valid = array.is_valid().to_pylist() if array.null_count else None

    def content(self, i: int) -> bytes | None:
        """Return a copy of one value's bytes, None for null."""
        if self._valid is not None and not self._valid[i]:
            return None
        return bytes(self._data[self._offsets[i] : self._offsets[i + 1]])

    def text(self, i: int) -> str:
        """Return one value, which must not be null, as text."""
        offsets = self._offsets
        return str(self._data[offsets[i] : offsets[i + 1]], "utf-8")


class Hashes:
    """A column of 16-byte values."""

    def __init__(self, array: pa.Array) -> None:
        self._width = array.type.byte_width
        self._data = memoryview(array.buffers()[1] or b"")
        self._valid = array.is_valid().to_pylist() if array.null_count else None

    def content(self, i: int) -> bytes | None:
        """Return a copy of one value, None for null."""
        if self._valid is not None and not self._valid[i]:
            return None
        return bytes(self._data[i * self._width : (i + 1) * self._width])


def _checked_offsets(buffer: Any, dtype: type[np.int64 | np.int32], rows: int, limit: int) -> NDArray[Any]:
    # Arrow may leave out the buffers of an empty column.
    offsets: NDArray[Any] = np.frombuffer(buffer, dtype, count=rows + 1) if rows else np.zeros(1, dtype)
    if offsets[0] < 0 or offsets[-1] > limit or (offsets[1:] < offsets[:-1]).any():
        raise ValueError("the offsets of a list or text are damaged")
    return offsets


def _list(array: pa.Array) -> tuple[NDArray[Any], pa.Array]:
    wide = pa.types.is_large_list(array.type)
    values = array.values
    offsets = array.buffers()[1]
    return _checked_offsets(offsets, np.int64 if wide else np.int32, len(array), len(values)), values


def numbers(array: pa.Array) -> NDArray[Any]:
    """View a column of numbers without nulls."""
    if array.null_count:
        raise ValueError("a number is missing")
    # Not Array.to_numpy: that imports pandas where it is installed, half a second in every worker.
    dtype, buffer = _DTYPES[array.type.id], array.buffers()[1]
    if not len(array):
        return np.zeros(0, dtype)
    view: NDArray[Any] = np.frombuffer(buffer, dtype, count=len(array), offset=array.offset * np.dtype(dtype).itemsize)
    return view


def _view(array: pa.Array) -> memoryview:
    return numbers(array).data


def _optional_numbers(array: pa.Array) -> list[int | None]:
    return array.to_pylist()  # type: ignore[no-any-return]


def tiles_per_row(array: pa.Array) -> NDArray[np.int64]:
    """Sum the tiles of each row's images, given the column of images."""
    offsets, images = _list(array)
    ends = np.concatenate(([0], np.cumsum(numbers(images.field("tiles")), dtype=np.int64)))
    return ends[offsets[1:]] - ends[offsets[:-1]]  # type: ignore[no-any-return]


class SampleColumns:
    """The columns of one samples batch."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.num_rows = batch.num_rows
        ids_offsets, ids = _list(batch.column("input_ids"))
        labels_offsets, labels = _list(batch.column("labels"))
        self._ids_offsets, self._labels_offsets = ids_offsets.data, labels_offsets.data
        self._ids, self._labels = numbers(ids), numbers(labels)
        self._length = _view(batch.column("length"))
        image_offsets, images = _list(batch.column("images"))
        self._image_offsets = image_offsets.data
        self._images = [_view(images.field(name)) for name in SampleImage.__slots__ if name != "kind"]
        self._image_kinds = Texts(images.field("kind"))
        box_offsets, boxes = _list(batch.column("boxes"))
        self._box_offsets = box_offsets.data
        self._boxes = [_view(boxes.field(name)) for name in ("x1", "y1", "x2", "y2", "image")]
        self._captions = Texts(boxes.field("caption"))
        self._prompt = Texts(batch.column("prompt"))
        self._response = Texts(batch.column("response"))
        self._source_file = Texts(batch.column("source_file"))
        self._source_line = _view(batch.column("source_line"))
        self._row_hash = Hashes(batch.column("row_hash"))
        self._split = Texts(batch.column("split"))

    def sample(self, i: int, row: int) -> Sample:
        """Build row ``i`` of this batch, whose number over all shards is ``row``."""
        input_ids = self._ids[self._ids_offsets[i] : self._ids_offsets[i + 1]]
        labels = self._labels[self._labels_offsets[i] : self._labels_offsets[i + 1]]
        if not len(input_ids) == len(labels) == self._length[i]:
            raise ValueError(f"row {row} has {len(input_ids)} ids, {len(labels)} labels, length {self._length[i]}")
        return Sample(
            input_ids,
            labels,
            tuple(map(self._image, range(self._image_offsets[i], self._image_offsets[i + 1]))),
            self._prompt.text(i),
            self._response.text(i),
            tuple(map(self._box, range(self._box_offsets[i], self._box_offsets[i + 1]))),
            self._source_file.text(i),
            self._source_line[i],
            self._row_hash.content(i) or b"",
            self._split.text(i),
            row,
        )

    def _image(self, j: int) -> SampleImage:
        values: list[Any] = [view[j] for view in self._images]
        values.insert(_KIND, self._image_kinds.text(j))
        return SampleImage(*values)

    def _box(self, j: int) -> SampleBox:
        return SampleBox(self._captions.text(j), *[view[j] for view in self._boxes])


class MediaColumns:
    """The columns of one media batch."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.num_rows = batch.num_rows
        self._hash = Hashes(batch.column("hash"))
        self._bytes = Texts(batch.column("bytes"))
        self._path = Texts(batch.column("path"))
        self._size = _optional_numbers(batch.column("size"))
        self._mtime_ns = _optional_numbers(batch.column("mtime_ns"))
        self._format = Texts(batch.column("format"))
        self._width = _view(batch.column("width"))
        self._height = _view(batch.column("height"))
        self._orientation = _view(batch.column("orientation"))

    def media(self, i: int) -> Media:
        """Build row ``i`` of this batch."""
        path = self._path.content(i)
        return Media(
            self._hash.content(i),
            self._bytes.content(i),
            None if path is None else str(path, "utf-8"),
            self._size[i],
            self._mtime_ns[i],
            self._format.text(i),
            self._width[i],
            self._height[i],
            self._orientation[i],
        )
