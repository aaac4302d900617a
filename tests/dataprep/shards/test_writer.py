"""Writing: the same rows give the same bytes however they arrive; what does not fit is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dataprep.errors import ShardError
from dataprep.shards.flat import write_at_once
from dataprep.shards.format import (
    LEDGER_SCHEMA,
    MEDIA_BATCH_ROWS,
    MEDIA_SCHEMA,
    SAMPLES_BATCH_ROWS,
    SAMPLES_SCHEMA,
)
from dataprep.shards.samples import LedgerRow, Media, Reject, RejectFinding
from dataprep.shards.writer import ledger_batch, media_batch, samples_batch, write_arrow, write_rejects
from tests.factories import make_media, make_sample, make_shards


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = make_shards(tmp_path / "a"), make_shards(tmp_path / "b")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 2000])
def test_bytes_do_not_depend_on_the_batches_that_rows_arrive_in(tmp_path: Path, step: int) -> None:
    samples = [make_sample(i, images=[0] * (i % 3), text_tokens=1 + i % 7) for i in range(1, 1201)]
    whole = write_arrow(tmp_path / "whole", SAMPLES_SCHEMA, [samples_batch(samples)])
    parts = (samples_batch(samples[i : i + step]) for i in range(0, len(samples), step))
    assert replace(write_arrow(tmp_path / "parts", SAMPLES_SCHEMA, parts), file="whole") == whole


@pytest.mark.parametrize("step", [1, 3, 31, 33, 64])
def test_nulls_do_not_let_neighbours_show_in_the_bytes(tmp_path: Path, step: int) -> None:
    medium = make_media()
    media = [replace(medium, path=None, size=None) if i % 3 else replace(medium, mtime_ns=i) for i in range(101)]
    whole = write_arrow(tmp_path / "whole", MEDIA_SCHEMA, [media_batch(media)])
    parts = (media_batch(media[i : i + step]) for i in range(0, len(media), step))
    assert write_arrow(tmp_path / "parts", MEDIA_SCHEMA, parts).sha256 == whole.sha256
    one = (media_batch([medium]) for medium in media)
    sliced = media_batch([media[-1], *media]).slice(1)
    assert write_arrow(tmp_path / "one", MEDIA_SCHEMA, one).sha256 == whole.sha256
    assert write_arrow(tmp_path / "sliced", MEDIA_SCHEMA, [sliced]).sha256 == whole.sha256


def test_every_batch_but_the_last_has_the_size_of_the_format(tmp_path: Path) -> None:
    samples = [make_sample(i) for i in range(1, 2 * SAMPLES_BATCH_ROWS + 2)]
    write_arrow(tmp_path / "file", SAMPLES_SCHEMA, [samples_batch(samples)])
    file = pa.ipc.open_file(tmp_path / "file")
    rows = [file.get_batch(i).num_rows for i in range(file.num_record_batches)]
    assert rows == [SAMPLES_BATCH_ROWS, SAMPLES_BATCH_ROWS, 1]


def test_files_are_uncompressed_and_say_what_they_are(tmp_path: Path) -> None:
    medium = make_media()
    assert medium.bytes is not None
    write_arrow(tmp_path / "file", MEDIA_SCHEMA, [media_batch([medium])])
    assert medium.bytes in (tmp_path / "file").read_bytes()
    metadata = pa.ipc.open_file(tmp_path / "file").schema.metadata
    assert metadata == {
        b"dataprep.format_version": b"1",
        b"dataprep.table": b"media",
        b"dataprep.batch_rows": str(MEDIA_BATCH_ROWS).encode(),
    }


def test_what_was_written_is_described(tmp_path: Path) -> None:
    written = write_arrow(tmp_path / "x.arrow", SAMPLES_SCHEMA, [samples_batch([make_sample(1)])])
    data = (tmp_path / "x.arrow").read_bytes()
    assert (written.file, written.rows, written.bytes) == ("x.arrow", 1, len(data))
    assert written.sha256 == hashlib.sha256(data).hexdigest()


def test_a_file_without_rows_is_a_file(tmp_path: Path) -> None:
    written = write_arrow(tmp_path / "x.arrow", LEDGER_SCHEMA, [])
    assert written.rows == 0
    assert pa.ipc.open_file(tmp_path / "x.arrow").read_all().num_rows == 0


@pytest.mark.parametrize(
    ("change", "column"),
    [({"source_line": 2**70}, "source_line"), ({"row_hash": b"short"}, "row_hash"), ({"prompt": 3}, "prompt")],
)
def test_a_value_that_does_not_fit_names_the_column(change: dict, column: str) -> None:
    with pytest.raises(ShardError, match=f"does not fit the column '{column}'"):
        samples_batch([replace(make_sample(1), **change)])


def test_nulls_and_other_columns_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    null = samples_batch([replace(make_sample(1), prompt=None)])  # type: ignore[arg-type]
    image = replace(make_sample(1, images=[0]).images[0], width=None)  # type: ignore[arg-type]
    nested = samples_batch([replace(make_sample(1), images=(image,))])
    other = media_batch([make_media()])
    for batch, message in ((null, "'prompt' has a null"), (nested, "'images' has a null"), (other, "columns")):
        with pytest.raises(ShardError, match=message):
            write_arrow(tmp_path / "x.arrow", SAMPLES_SCHEMA, [batch])
        assert list(tmp_path.iterdir()) == []


def test_linked_media_have_nulls(tmp_path: Path) -> None:
    medium = Media(None, None, "a.jpg", 5, 7, "jpeg", 4, 3, 6)
    write_arrow(tmp_path / "x.arrow", MEDIA_SCHEMA, [media_batch([medium])])
    (row,) = pa.ipc.open_file(tmp_path / "x.arrow").read_all().to_pylist()
    assert Media(**row) == medium


def test_ledger_rows_come_back(tmp_path: Path) -> None:
    row = LedgerRow("a.jsonl", 3, bytes(16), "repaired", ("T101", "G402"), "val", 4, 5)
    write_arrow(tmp_path / "x.arrow", LEDGER_SCHEMA, [ledger_batch([row])])
    (read,) = pa.ipc.open_file(tmp_path / "x.arrow").read_all().to_pylist()
    assert LedgerRow(**(read | {"codes": tuple(read["codes"])})) == row


@pytest.mark.parametrize("text", [b'{"query": "caf\xc3\xa9"}', b"\xff\xfe broken", b"", "\u2028\x85".encode()])
def test_a_rejected_row_comes_back_byte_by_byte(tmp_path: Path, text: bytes) -> None:
    reject = Reject("a.jsonl", 9, bytes(range(16)), (RejectFinding("P001", "query", "no"),), text)
    written = write_rejects(tmp_path / "r.jsonl", [reject, reject])
    lines = (tmp_path / "r.jsonl").read_bytes().splitlines()
    assert written.rows == len(lines) == 2
    row = json.loads(lines[0])
    assert row["findings"] == [{"code": "P001", "field": "query", "message": "no"}]
    assert bytes.fromhex(row["row_hash"]) == reject.row_hash
    stored = base64.b64decode(row["text_base64"]) if "text_base64" in row else row["text"].encode()
    assert stored == text


def test_trained_tokens_and_length_follow_from_the_arrays() -> None:
    sample = replace(make_sample(1), labels=np.array([-100, 5, -100, 0, -1, -100], dtype=np.int32))
    batch = samples_batch([sample])
    assert batch.column("num_trained_tokens").to_pylist() == [3]
    assert batch.column("length").to_pylist() == [6]


def test_a_file_written_at_once_holds_the_batches_as_they_are(tmp_path: Path) -> None:
    batches = [media_batch([make_media()] * 40), media_batch([make_media()])]
    written = write_at_once(tmp_path / "x.media", MEDIA_SCHEMA, batches)
    data = (tmp_path / "x.media").read_bytes()
    assert (written.file, written.rows, written.bytes) == ("x.media", 41, len(data))
    assert written.sha256 == hashlib.sha256(data).hexdigest()
    file = pa.ipc.open_file(tmp_path / "x.media")
    assert [file.get_batch(number).num_rows for number in range(file.num_record_batches)] == [40, 1]


def test_media_bytes_in_a_buffer_of_exact_size_make_the_same_file(tmp_path: Path) -> None:
    """Copied or not, the bytes of the file are the same."""
    batch = media_batch([replace(make_media(), bytes=b"x" * n) for n in range(1, 33)])
    padded = pa.Table.from_batches([media_batch([replace(make_media(), bytes=b"?")]), batch]).combine_chunks().slice(1)
    for name, batches in (
        ("exact", [batch]),
        ("cut", padded.to_batches()),
        ("rows", [batch.slice(n, 1) for n in range(32)]),
    ):
        write_arrow(tmp_path / name, MEDIA_SCHEMA, batches)
    assert (tmp_path / "exact").read_bytes() == (tmp_path / "cut").read_bytes() == (tmp_path / "rows").read_bytes()
