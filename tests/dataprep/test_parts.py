"""Summaries of parts: kept whole, used again only for the same key and media."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

from dataprep.findings import Location
from dataprep.parts import Chunk, Part, SplitCounts, load_part, store_part
from dataprep.sources import RawRow

PART = Part(
    name="part-000000",
    source="rows.jsonl",
    num_rows=3,
    num_rejected=1,
    by_code={"M301": 1},
    examples={"M301": (1, "rows.jsonl:2: no such file")},
    splits={"train": SplitCounts(2, 100, 10, 3)},
    media_keys=[("content", "00ff")],
    media_bytes=[12],
)


def test_a_stored_part_comes_back(tmp_path: Path) -> None:
    store_part(tmp_path / "p.json", PART, key="k", media_paths=[], files={})
    assert load_part(tmp_path / "p.json", "k") == PART


def test_another_key_voids_the_part(tmp_path: Path) -> None:
    store_part(tmp_path / "p.json", PART, key="k", media_paths=[], files={})
    assert load_part(tmp_path / "p.json", "other") is None
    assert not (tmp_path / "p.json").exists()
    assert load_part(tmp_path / "p.json", "k") is None


def test_changed_or_missing_media_void_the_part(tmp_path: Path) -> None:
    media = tmp_path / "a.png"
    for change in (lambda: media.write_bytes(b"longer"), lambda: os.utime(media, ns=(1, 1)), media.unlink):
        media.write_bytes(b"old")
        store_part(tmp_path / "p.json", PART, key="k", media_paths=[str(media)], files={})
        assert load_part(tmp_path / "p.json", "k") == PART
        change()
        assert load_part(tmp_path / "p.json", "k") is None


def test_counts_add_up() -> None:
    assert SplitCounts(1, 2, 3, 4).plus(SplitCounts(10, 20, 30, 40)) == SplitCounts(11, 22, 33, 44)


def test_a_part_whose_file_is_damaged_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "p.samples").write_bytes(b"rows")
    digest = hashlib.sha256(b"rows").hexdigest()
    store_part(tmp_path / "p.json", PART, key="k", media_paths=[], files={"p.samples": digest})
    assert load_part(tmp_path / "p.json", "k") == PART
    (tmp_path / "p.samples").write_bytes(b"row\0")
    assert load_part(tmp_path / "p.json", "k") is None
    assert not (tmp_path / "p.json").exists()


def test_a_summary_that_never_reached_the_disk_is_no_part(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(b"\0" * 100)
    assert load_part(tmp_path / "p.json", "k") is None


def test_a_chunk_is_sent_to_a_worker_as_it_is() -> None:
    rows = [RawRow(Location("rows.jsonl", line), b"row %d" % line) for line in (1, 2, 5)]
    rows.append(RawRow(Location("rows.jsonl", 7), b"last", ends_file=True))
    for splits in (("train",) * 4, ("train", "val", "train", "train")):
        chunk = Chunk(3, "rows.jsonl", tuple(rows), splits)
        assert pickle.loads(pickle.dumps(chunk)) == chunk
