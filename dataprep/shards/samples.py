"""The rows of the shard tables as Python values: what the writer takes and the reader gives.

Plain frozen dataclasses over numpy arrays. They know nothing of files and check nothing: the writer's schema
refuses wrong types, ``verify`` refuses wrong contents.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SampleImage:
    """One image or video frame of a sample, in the order of the placeholders.

    Attributes:
        media: Row number over all media shards in order.
        width: Width in pixels that the tiles were chosen for.
        height: Height in pixels that the tiles were chosen for.
        columns: Tile columns.
        rows: Tile rows.
        tiles: Number of tiles, the thumbnail included.
        kind: ``image`` or ``frame``.
        video: For a frame the number of its video within the sample, else -1.
        frame_index: For a frame its 0-based index in the video, else -1.
    """

    media: int
    width: int
    height: int
    columns: int
    rows: int
    tiles: int
    kind: str = "image"
    video: int = -1
    frame_index: int = -1


@dataclass(frozen=True, slots=True)
class SampleBox:
    """One box of a sample; coordinates are 0..1 of the image as stored.

    Attributes:
        caption: What the box shows.
        x1: Left edge.
        y1: Top edge.
        x2: Right edge.
        y2: Bottom edge.
        image: Index into the sample's images.
    """

    caption: str
    x1: float
    y1: float
    x2: float
    y2: float
    image: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One encoded record. Arrays that a reader gives are read-only views of the mapped file.

    Attributes:
        input_ids: int32, shape (length,), context tokens expanded.
        labels: int32, shape (length,), -100 where no loss.
        images: In the order of the placeholders.
        prompt: Decoded text before the last answer.
        response: The last answer.
        boxes: Boxes of the row.
        source_file: Path relative to the manifest's source root.
        source_line: 1-based line in it.
        row_hash: 16 bytes, of the canonical row.
        split: Name of the split.
        row: Row number over all samples shards; -1 before the sample is written.
    """

    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    images: tuple[SampleImage, ...]
    prompt: str
    response: str
    boxes: tuple[SampleBox, ...]
    source_file: str
    source_line: int
    row_hash: bytes
    split: str
    row: int = -1


@dataclass(frozen=True, slots=True)
class Media:
    """One distinct image or frame (embedded), or one linked image or video file, or inline data beside links.

    Attributes:
        hash: 16 bytes, ``format.content_hash`` of the content; None where a linked file was not hashed.
        bytes: The encoded file as found; None for a linked file.
        path: Relative to the media root; None where there was no file.
        size: Size of the file, or of the bytes where there was none.
        mtime_ns: Modification time of a linked file in nanoseconds; None where bytes are stored.
        format: Lower-case name such as ``jpeg``, ``png`` or ``mp4``.
        width: Width in pixels as stored, before any EXIF rotation.
        height: Height in pixels as stored, before any EXIF rotation.
        orientation: EXIF orientation 1..8, 1 if there is none.
    """

    hash: builtins.bytes | None
    bytes: builtins.bytes | None
    path: str | None
    size: int | None
    mtime_ns: int | None
    format: str
    width: int
    height: int
    orientation: int = 1


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What became of one input row.

    Attributes:
        source_file: Path relative to the manifest's source root.
        source_line: 1-based line in it.
        row_hash: 16 bytes, of the canonical row.
        outcome: ``converted``, ``repaired``, ``rejected``, ``duplicate`` or ``unsampled``.
        codes: Rule codes found on the row, each once.
        split: The sample's split; empty for a row that became none.
        shard: Index into the manifest's ``sample_shards``; -1 for a row that became no sample.
        row_in_shard: Row within that shard; -1 for a row that became no sample.
    """

    source_file: str
    source_line: int
    row_hash: bytes
    outcome: str
    codes: tuple[str, ...] = ()
    split: str = ""
    shard: int = -1
    row_in_shard: int = -1


@dataclass(frozen=True, slots=True)
class RejectFinding:
    """Why a row was rejected: rule code, JSON path in the row (may be empty), sentence."""

    code: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Reject:
    """One rejected row, verbatim.

    Attributes:
        source_file: Path relative to the manifest's source root.
        source_line: 1-based line in it.
        row_hash: 16 bytes, as in the ledger.
        findings: Why; at least one.
        text: The row as it stands in the file, without the line end; any bytes, UTF-8 or not.
    """

    source_file: str
    source_line: int
    row_hash: bytes
    findings: tuple[RejectFinding, ...]
    text: bytes
