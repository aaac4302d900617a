"""The frozen surface of format version 1."""

from __future__ import annotations

import hashlib

from dataprep.shards import format as shard_format
from dataprep.tokenization import IGNORE_INDEX

COLUMNS = {
    "SAMPLES_SCHEMA": [
        "input_ids: large_list<item: int32 not null> not null",
        "labels: large_list<item: int32 not null> not null",
        "length: int32 not null",
        "num_trained_tokens: int32 not null",
        "images: list<item: struct<media: int64 not null, width: int32 not null, height: int32 not null, "
        "columns: int16 not null, rows: int16 not null, tiles: int16 not null, kind: string not null, "
        "video: int32 not null, frame_index: int32 not null> not null> not null",
        "prompt: large_string not null",
        "response: large_string not null",
        "boxes: list<item: struct<caption: string not null, x1: float not null, y1: float not null, "
        "x2: float not null, y2: float not null, image: int32 not null> not null> not null",
        "source_file: string not null",
        "source_line: int64 not null",
        "row_hash: fixed_size_binary[16] not null",
        "split: string not null",
    ],
    "MEDIA_SCHEMA": [
        "hash: fixed_size_binary[16]",
        "bytes: large_binary",
        "path: string",
        "size: int64",
        "mtime_ns: int64",
        "format: string not null",
        "width: int32 not null",
        "height: int32 not null",
        "orientation: int8 not null",
    ],
    "LEDGER_SCHEMA": [
        "source_file: string not null",
        "source_line: int64 not null",
        "row_hash: fixed_size_binary[16] not null",
        "outcome: string not null",
        "codes: list<item: string not null> not null",
        "split: string not null",
        "shard: int32 not null",
        "row_in_shard: int32 not null",
    ],
}


def test_columns_are_frozen() -> None:
    assert shard_format.FORMAT_VERSION == 1
    for name, columns in COLUMNS.items():
        schema = getattr(shard_format, name)
        actual = [f"{field.name}: {field.type}{'' if field.nullable else ' not null'}" for field in schema]
        assert actual == columns


def test_batch_sizes_are_frozen() -> None:
    sizes = [shard_format.batch_rows_of(getattr(shard_format, name)) for name in COLUMNS]
    assert sizes == [512, 32, 65536]


def test_names_and_hashes_are_frozen() -> None:
    assert shard_format.samples_name(3) == "samples-00003.arrow"
    assert shard_format.media_name(123456) == "media-123456.arrow"
    assert shard_format.content_hash(b"abc") == hashlib.sha256(b"abc").digest()[:16]


def test_the_label_without_loss_is_the_tokenizers() -> None:
    assert shard_format.IGNORE_INDEX == IGNORE_INDEX == -100
