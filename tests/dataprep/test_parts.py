"""Summaries of parts: kept whole, used again only for the same key and media."""

from __future__ import annotations

import os
from pathlib import Path

from dataprep.parts import Part, SplitCounts, load_part, store_part

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
    store_part(tmp_path / "p.json", PART, key="k", media_paths=[])
    assert load_part(tmp_path / "p.json", "k") == PART


def test_another_key_voids_the_part(tmp_path: Path) -> None:
    store_part(tmp_path / "p.json", PART, key="k", media_paths=[])
    assert load_part(tmp_path / "p.json", "other") is None
    assert not (tmp_path / "p.json").exists()
    assert load_part(tmp_path / "p.json", "k") is None


def test_changed_or_missing_media_void_the_part(tmp_path: Path) -> None:
    media = tmp_path / "a.png"
    for change in (lambda: media.write_bytes(b"longer"), lambda: os.utime(media, ns=(1, 1)), media.unlink):
        media.write_bytes(b"old")
        store_part(tmp_path / "p.json", PART, key="k", media_paths=[str(media)])
        assert load_part(tmp_path / "p.json", "k") == PART
        change()
        assert load_part(tmp_path / "p.json", "k") is None


def test_counts_add_up() -> None:
    assert SplitCounts(1, 2, 3, 4).plus(SplitCounts(10, 20, 30, 40)) == SplitCounts(11, 22, 33, 44)
