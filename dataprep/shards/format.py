"""Shard format version 1: file names, Arrow schemas, batch sizes and codes.

Everything that fixes bytes on disk stands here and nowhere else; the writer, the reader and the verifier
import it. Column names and types are frozen per ``FORMAT_VERSION``: a change of any of them, of a batch size
or of a hash rule needs a new version. ``docs/format.md`` says the same in words.

Every file is an uncompressed Arrow IPC file. Each record batch but the last holds exactly the table's
``batch_rows`` rows, so the batch of a row follows from a division. Buffers are aligned to 8 bytes.
"""

from __future__ import annotations

import hashlib
import re

import pyarrow as pa

from dataprep.templates import IGNORE_INDEX as IGNORE_INDEX

FORMAT_VERSION = 1
READABLE_VERSIONS = (1,)

MANIFEST_NAME = "manifest.json"
LEDGER_NAME = "ledger.arrow"
REJECTS_NAME = "rejects.jsonl"
REPAIRS_NAME = "repairs.jsonl"
SHARD_NAME = re.compile(r"(samples|media)-[0-9]{5,}\.arrow(\.tmp)?")

HASH_BYTES = 16

SAMPLES_BATCH_ROWS = 512
MEDIA_BATCH_ROWS = 32
LEDGER_BATCH_ROWS = 65536

KIND_IMAGE = "image"
KIND_FRAME = "frame"
KINDS = (KIND_IMAGE, KIND_FRAME)

MEDIA_EMBED = "embed"
MEDIA_LINK = "link"
MEDIA_MODES = (MEDIA_EMBED, MEDIA_LINK)

CONVERTED = "converted"
REPAIRED = "repaired"
REJECTED = "rejected"
DUPLICATE = "duplicate"
UNSAMPLED = "unsampled"
OUTCOMES = (CONVERTED, REPAIRED, REJECTED, DUPLICATE, UNSAMPLED)
SAMPLE_OUTCOMES = (CONVERTED, REPAIRED)
"""The outcomes of rows that became a sample."""

LOSS_ANSWERS = "answers"
LOSS_LAST_ANSWER = "last-answer"
LOSS_MASKS = (LOSS_ANSWERS, LOSS_LAST_ANSWER)
"""Which tokens carry loss: every answer with its end token, or the last answer of a row alone."""

VIDEO_FORMATS = frozenset({"asf", "avi", "flv", "matroska", "mov", "mp4", "mpeg", "mpegts", "ogg", "webm"})
"""Values of ``media.format`` that are never an image; ``gif`` can be either, and the sample's ``kind`` tells."""


def samples_name(number: int) -> str:
    """Name the samples file with this number, counted from 0 over all splits."""
    return f"samples-{number:05d}.arrow"


def media_name(number: int) -> str:
    """Name the media file with this number, counted from 0."""
    return f"media-{number:05d}.arrow"


def content_hash(data: bytes | memoryview) -> bytes:
    """Hash media content: the first 16 bytes of its SHA-256."""
    return hashlib.sha256(data).digest()[:HASH_BYTES]


def batch_rows_of(schema: pa.Schema) -> int:
    """Return how many rows each record batch but the last holds in a file of this schema."""
    return int(schema.metadata[b"dataprep.batch_rows"])


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def _list_of(kind: pa.DataType) -> pa.DataType:
    return pa.list_(_required("item", kind))


def _table(name: str, batch_rows: int, fields: list[pa.Field]) -> pa.Schema:
    metadata = {
        "dataprep.format_version": str(FORMAT_VERSION),
        "dataprep.table": name,
        "dataprep.batch_rows": str(batch_rows),
    }
    return pa.schema(fields, metadata=metadata)


_IDS = pa.large_list(_required("item", pa.int32()))
_HASH = pa.binary(HASH_BYTES)

IMAGE_TYPE = pa.struct(
    [
        _required("media", pa.int64()),
        _required("width", pa.int32()),
        _required("height", pa.int32()),
        _required("columns", pa.int16()),
        _required("rows", pa.int16()),
        _required("tiles", pa.int16()),
        _required("kind", pa.string()),
        _required("video", pa.int32()),
        _required("frame_index", pa.int32()),
    ]
)

BOX_TYPE = pa.struct(
    [
        _required("caption", pa.string()),
        _required("x1", pa.float32()),
        _required("y1", pa.float32()),
        _required("x2", pa.float32()),
        _required("y2", pa.float32()),
        _required("image", pa.int32()),
    ]
)

SAMPLES_SCHEMA = _table(
    "samples",
    SAMPLES_BATCH_ROWS,
    [
        _required("input_ids", _IDS),
        _required("labels", _IDS),
        _required("length", pa.int32()),
        _required("num_trained_tokens", pa.int32()),
        _required("images", _list_of(IMAGE_TYPE)),
        _required("prompt", pa.large_string()),
        _required("response", pa.large_string()),
        _required("boxes", _list_of(BOX_TYPE)),
        _required("source_file", pa.string()),
        _required("source_line", pa.int64()),
        _required("row_hash", _HASH),
        _required("split", pa.string()),
    ],
)

MEDIA_SCHEMA = _table(
    "media",
    MEDIA_BATCH_ROWS,
    [
        pa.field("hash", _HASH),
        pa.field("bytes", pa.large_binary()),
        pa.field("path", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        _required("format", pa.string()),
        _required("width", pa.int32()),
        _required("height", pa.int32()),
        _required("orientation", pa.int8()),
    ],
)

LEDGER_SCHEMA = _table(
    "ledger",
    LEDGER_BATCH_ROWS,
    [
        _required("source_file", pa.string()),
        _required("source_line", pa.int64()),
        _required("row_hash", _HASH),
        _required("outcome", pa.string()),
        _required("codes", _list_of(pa.string())),
        _required("split", pa.string()),
        _required("shard", pa.int32()),
        _required("row_in_shard", pa.int32()),
    ],
)
