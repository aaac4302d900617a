"""Parts are cut into shards by arithmetic, and media are what the plan saw."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep.assembly import AssemblyState, MediaTask, plan_shards, write_media_shard
from dataprep.errors import SourceError
from dataprep.parts import Part, SplitCounts
from dataprep.shards.format import MEDIA_SCHEMA, content_hash
from dataprep.shards.samples import Media
from dataprep.shards.writer import media_batch, write_arrow
from tests.dataprep.conversions import encode_png, read_table

KIB = 1024


def make_part(number: int, media: str = "", *, size: int = 10, splits: dict[str, int] | None = None) -> Part:
    """A part whose media are named by letters; ``splits`` gives the tokens of each split."""
    return Part(
        name=f"part-{number:06d}",
        source="rows.jsonl",
        num_rows=1,
        num_rejected=0,
        by_code={},
        examples={},
        splits={name: SplitCounts(1, tokens, 1, 0) for name, tokens in (splits or {"train": 1}).items()},
        media_keys=[("content", letter) for letter in media],
        media_bytes=[size] * len(media),
    )


def test_media_are_numbered_in_order_of_first_use() -> None:
    plan = plan_shards([make_part(0, "ab"), make_part(1, "bca"), make_part(2), make_part(3, "d")])
    assert plan.media == [MediaTask(0, (("part-000000", (0, 1)), ("part-000001", (1,)), ("part-000003", (0,))))]
    (task,) = plan.samples
    assert [numbers.tolist() for _, numbers in task.pieces] == [[0, 1], [1, 2, 0], [], [3]]


def test_media_shards_are_cut_before_they_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", KIB)
    plan = plan_shards([make_part(0, "abc", size=400), make_part(1, "ad", size=700), make_part(2, "e", size=5000)])
    assert [task.pieces for task in plan.media] == [
        (("part-000000", (0, 1)),),
        (("part-000000", (2,)),),
        (("part-000001", (1,)),),
        (("part-000002", (0,)),),
    ]
    assert [task.number for task in plan.media] == [0, 1, 2, 3]
    assert [numbers.tolist() for _, numbers in plan.samples[0].pieces] == [[0, 1, 2], [0, 3], [4]]


def test_a_medium_larger_than_a_shard_leaves_no_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", KIB)
    plan = plan_shards([make_part(0, "ab", size=KIB + 1)])
    assert [task.pieces for task in plan.media] == [(("part-000000", (0,)),), (("part-000000", (1,)),)]


def test_each_samples_shard_has_one_split_and_train_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", KIB)
    parts = [
        make_part(0, splits={"val": 10}),
        make_part(1, splits={"train": 100, "val": 10}),
        make_part(2, splits={"train": 100}),
        make_part(3, splits={"train": 5, "test": 5}),
    ]
    plan = plan_shards(parts)
    assert [(task.number, task.split, len(task.pieces)) for task in plan.samples] == [
        (0, "train", 2),
        (1, "train", 1),
        (2, "val", 2),
        (3, "test", 1),
    ]
    assert [counts.tokens for counts in plan.shard_counts] == [200, 5, 20, 5]
    assert plan.places["part-000003", "train"] == 1
    assert plan.places["part-000001", "val"] == 2


def test_no_rows_make_no_shards() -> None:
    part = make_part(0)
    plan = plan_shards([Part(**{name: getattr(part, name) for name in Part.__slots__} | {"splits": {}})])
    assert (plan.media, plan.samples, plan.places) == ([], [], {})


def write_part_media(folder: Path, *media: Media) -> AssemblyState:
    (folder / "parts").mkdir()
    write_arrow(folder / "parts" / "part-000000.media", MEDIA_SCHEMA, [media_batch(media)])
    return AssemblyState(folder / "parts", folder, folder, 9)


def test_a_media_shard_takes_bytes_from_files_and_from_the_part(tmp_path: Path) -> None:
    here, there = encode_png((1, 2, 3)), encode_png((4, 5, 6))
    (tmp_path / "a.png").write_bytes(there)
    state = write_part_media(
        tmp_path,
        Media(content_hash(here), here, None, len(here), None, "png", 24, 24),
        Media(content_hash(there), None, "a.png", len(there), None, "png", 24, 24),
        Media(None, None, "clip.mp4", 7, 8, "mp4", 24, 24),
    )
    write_media_shard(state, MediaTask(0, (("part-000000", (2, 1, 0)),)))
    stored = read_table(tmp_path / "media-00000.arrow")
    assert [entry["bytes"] for entry in stored] == [None, there, here]
    assert [entry["path"] for entry in stored] == ["clip.mp4", "a.png", None]


@pytest.mark.parametrize(("data", "message"), [(b"other", "changed during the conversion"), (None, "cannot be read")])
def test_a_file_that_is_not_what_the_plan_saw_is_an_error(tmp_path: Path, data: bytes | None, message: str) -> None:
    state = write_part_media(tmp_path, Media(content_hash(b"seen"), None, "a.png", 4, None, "png", 24, 24))
    if data is not None:
        (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(SourceError, match=rf"a\.png:? {message}"):
        write_media_shard(state, MediaTask(0, (("part-000000", (0,)),)))
    assert not list(tmp_path.glob("media-*"))
