"""verify finds every flipped bit and every broken promise, and finds nothing in sound shards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataprep.shards.format import LEDGER_SCHEMA, content_hash
from dataprep.shards.manifest import Manifest, read_manifest, write_manifest
from dataprep.shards.samples import Media, Sample, SampleImage
from dataprep.shards.verify import verify
from dataprep.shards.writer import write_arrow
from tests.factories import default_samples, make_media, make_sample, make_shards, reseal, write_nulls


def test_sound_shards_have_no_problem(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    report = verify(path)
    assert report.problems == ()
    assert report.ok
    assert (report.files_checked, report.rows_checked) == (7, 6)
    assert report.bytes_checked == sum(file.stat().st_size for file in path.iterdir())


def test_empty_and_linked_shards_are_sound(tmp_path: Path) -> None:
    assert verify(make_shards(tmp_path / "empty", [], [], rejects=0)).problems == ()
    medium = Media(None, None, "a.jpg", 5, 7, "jpeg", 40, 30)
    assert verify(make_shards(tmp_path / "link", media=[medium, medium])).problems == ()


def test_any_flipped_bit_of_any_file_is_found(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    rng = np.random.default_rng(0)
    for file in sorted(path.iterdir()):
        sound = file.read_bytes()
        for bit in rng.integers(0, len(sound) * 8, 40).tolist():
            damaged = bytearray(sound)
            damaged[bit // 8] ^= 1 << bit % 8
            file.write_bytes(damaged)
            report = verify(path)
            assert report.problems, (file.name, bit)
            assert file.name in report.problems[0]
        file.write_bytes(sound)
    assert verify(path).ok


def test_every_bit_of_the_manifest_counts(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s") / "manifest.json"
    sound = path.read_bytes()
    # The first line, and a stretch of numbers, spaces and line ends.
    for bit in [*range(0, 8 * 60), *range(8 * 900, 8 * 960)]:
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert not verify(path.parent).ok, bit


def test_missing_cut_and_stray_files_are_named(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    (path / "samples-00009.arrow").write_bytes(b"")
    (path / "media-00000.arrow.tmp").write_bytes(b"")
    (path / "notes.txt").write_text("mine")
    (path / "media-00000.arrow").unlink()
    os.truncate(path / "ledger.arrow", 100)
    (path / "rejects.jsonl").write_bytes(b"")
    problems = verify(path).problems
    assert [problem.split(":")[0] for problem in problems] == [
        "media-00000.arrow.tmp", "samples-00009.arrow", "media-00000.arrow", "ledger.arrow", "rejects.jsonl",
    ]  # fmt: skip


def test_no_manifest_is_a_problem(tmp_path: Path) -> None:
    assert "no manifest.json" in verify(tmp_path).problems[0]
    assert "no such directory" in verify(tmp_path / "x").problems[0]


def changed(**changes: Any) -> list[Sample]:
    """Change the second sample (ids 9 9 9 9, then 6 of text; one image)."""
    samples = default_samples()
    return [samples[0], replace(samples[1], **changes), *samples[2:]]


IDS = default_samples()[1].input_ids
LABELS = default_samples()[1].labels


def with_id(array: np.ndarray, place: int, value: int) -> np.ndarray:
    copy = array.copy()
    copy[place] = value
    return copy


def image(**changes: Any) -> dict[str, Any]:
    return {"images": (replace(SampleImage(0, 40, 30, 1, 1, 1), **changes),)}


def box(**changes: Any) -> dict[str, Any]:
    return {"boxes": (replace(default_samples()[1].boxes[0], **changes),)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": with_id(LABELS, 9, 5)}, "a label is neither -100 nor the input id at its place in row 1"),
        ({"labels": LABELS[:-1]}, "labels and input_ids differ in number in row 1"),
        ({"labels": with_id(LABELS, 0, 9)}, "a context token carries loss in row 1"),
        ({"input_ids": with_id(IDS, 0, 1)}, "the context tokens are not tiles x tokens_per_tile in row 1"),
        ({"input_ids": with_id(IDS, 4, -1)}, "an input id is negative in row 1"),
        ({"input_ids": IDS[:0], "labels": IDS[:0], "images": (), "boxes": ()}, "there is no token in row 1"),
        (image(media=2), "an image's media number is not in 0..1 in row 1"),
        (image(media=-1), "an image's media number is not in 0..1 in row 1"),
        (image(width=0), "an image has no width or height in row 1"),
        (image(columns=2), "an image's tiles do not follow from its columns and rows in row 1"),
        (image(kind="film"), "an image's kind is unknown in row 1"),
        (image(kind="frame"), "an image's video or frame_index does not fit its kind in row 1"),
        (image(video=0), "an image's video or frame_index does not fit its kind in row 1"),
        (box(image=1), "a box points at no image of its row in row 1"),
        (box(x1=float("nan")), "a box has a coordinate that is not a number in row 1"),
        ({"source_line": 0}, "source_line is below 1 in row 1"),
    ],
)
def test_broken_samples_are_found_and_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    problems = verify(make_shards(tmp_path / "s", changed(**changes))).problems
    assert f"samples-00000.arrow: {message}" in problems


def test_frames_are_sound(tmp_path: Path) -> None:
    assert verify(make_shards(tmp_path / "s", changed(**image(kind="frame", video=0, frame_index=3)))).ok


def test_many_broken_rows_are_counted(tmp_path: Path) -> None:
    samples = [make_sample(line, images=[7]) for line in range(1, 601)]
    problems = verify(make_shards(tmp_path / "s", samples, rows_per_shard=600)).problems
    assert problems == ("samples-00000.arrow: an image's media number is not in 0..1 in row 0, 1, 2 and 597 more",)


@pytest.mark.parametrize(
    ("media", "message"),
    [
        ({"hash": bytes(16)}, "media-00000.arrow: the hash is not that of the bytes in row 0"),
        ({"hash": None}, "media-00000.arrow: embedded media lack their bytes or hash in row 0"),
        ({"width": 0}, "media-00000.arrow: width or height is below 1 in row 0"),
        ({"orientation": 9}, "media-00000.arrow: the orientation is not in 1..8 in row 0"),
    ],
)
def test_broken_media_are_found(tmp_path: Path, media: dict[str, Any], message: str) -> None:
    path = make_shards(tmp_path / "s", media=[replace(make_media(), **media), make_media((1, 2, 3))])
    assert verify(path).problems == (message,)


def test_media_stored_twice_are_found(tmp_path: Path) -> None:
    problems = verify(make_shards(tmp_path / "s", media=[make_media(), make_media()])).problems
    assert problems == ("media-00000.arrow: some content is stored twice in the media shards",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": None}, "linked media lack path, size or mtime_ns in row 1"),
        ({"bytes": b""}, "linked media have bytes"),
    ],
)
def test_broken_links_are_found(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    medium = Media(None, None, "a.jpg", 5, 7, "jpeg", 40, 30)
    (problem,) = verify(make_shards(tmp_path / "s", media=[medium, replace(medium, **changes)])).problems
    assert f"media-00000.arrow: {message}" in problem


def edit_manifest(path: Path, edit: Callable[[Manifest], Manifest]) -> tuple[str, ...]:
    write_manifest(path, edit(read_manifest(path)))
    return verify(path).problems


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: replace(m, max_length=9), "samples-00000.arrow: length is above max_length 9 in row 1, 2"),
        (lambda m: replace(m, lengths=replace(m.lengths, p50=3)), "manifest.json: lengths are"),
        (lambda m: replace(m, splits={}), "manifest.json: splits are"),
        (lambda m: replace(m, exif="maybe"), "manifest.json: exif: 'maybe' is not one of"),
        (lambda m: replace(m, sources=m.sources * 2), "manifest.json: a source is listed twice"),
        (lambda m: replace(m, sources=()), "manifest.json: the sources have 0 rows, rows_in is 7"),
        (lambda m: replace(m, ledger=replace(m.ledger, converted=5)), "the samples shards have 6 rows, converted"),
        (lambda m: replace(m, ledger=replace(m.ledger, duplicate=1)), "the outcomes add up to 8 rows, rows_in is 7"),
        (lambda m: replace(m, ledger=replace(m.ledger, rejected=2)), "rejects.jsonl: 1 rows, the manifest says 2"),
        (lambda m: replace(m, ledger=replace(m.ledger, by_code={})), "ledger.arrow: its rows give"),
        (lambda m: replace(m, sources=(replace(m.sources[0], path="b"),)), "ledger.arrow: 0 rows of 'b', the manifest"),
        (
            lambda m: replace(m, sample_shards=(replace(m.sample_shards[0], tokens=1), *m.sample_shards[1:])),
            "samples-00000.arrow: 30 tokens, the manifest says 1",
        ),
        (
            lambda m: replace(m, sample_shards=(replace(m.sample_shards[0], rows=4), *m.sample_shards[1:])),
            "samples-00000.arrow: not a shard of this format or damaged: batch 0 has 3 rows, expected 4",
        ),
    ],
)
def test_a_manifest_that_does_not_add_up_is_found(
    tmp_path: Path, edit: Callable[[Manifest], Manifest], message: str
) -> None:
    problems = edit_manifest(make_shards(tmp_path / "s"), edit)
    assert any(message in problem for problem in problems), problems


def test_a_manifest_spelled_another_way_is_found(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s") / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert "not written the way" in verify(path.parent).problems[0]


def test_a_sample_of_another_split_is_found(tmp_path: Path) -> None:
    def swap(manifest: Manifest) -> Manifest:
        shards = tuple(
            replace(shard, split="test") if shard.split == "val" else shard for shard in manifest.sample_shards
        )
        return replace(manifest, sample_shards=shards)

    problems = edit_manifest(make_shards(tmp_path / "s"), swap)
    assert "samples-00002.arrow: the split is not 'test' in row 0, 1" in problems


def edit_ledger(path: Path, row: int, **changes: Any) -> tuple[str, ...]:
    """Change one ledger row and seal the directory again."""
    rows = pa.ipc.open_file(path / "ledger.arrow").read_all().to_pylist()
    rows[row] |= changes
    write_arrow(path / "ledger.arrow", LEDGER_SCHEMA, [pa.RecordBatch.from_pylist(rows, LEDGER_SCHEMA)])
    reseal(path, "ledger.arrow")
    return verify(path).problems


@pytest.mark.parametrize(
    ("row", "changes", "message"),
    [
        (4, {"source_line": 9}, "source_line differs from the sample in samples-00002.arrow, first in row 4"),
        (0, {"row_hash": bytes(16)}, "row_hash differs from the sample in samples-00000.arrow, first in row 0"),
        (0, {"split": "val"}, "split differs from the sample in samples-00000.arrow, first in row 0"),
        (0, {"row_in_shard": 1}, "its rows do not name each of the 3 samples of samples-00000.arrow once"),
        (0, {"shard": 1}, "its rows do not name each of the 1 samples of samples-00001.arrow once"),
        (0, {"shard": 5}, "a sample is in no shard, first in row 0"),
        (6, {"shard": 0}, "a row without a sample has a place, first in row 6"),
        (6, {"outcome": "lost"}, "unknown outcome 'lost'"),
        (6, {"outcome": "duplicate"}, "its rows give"),
        (6, {"source_file": "b"}, "1 rows of 'b', the manifest says 0"),
    ],
)
def test_a_ledger_that_does_not_fit_is_found(tmp_path: Path, row: int, changes: dict[str, Any], message: str) -> None:
    problems = edit_ledger(make_shards(tmp_path / "s"), row, **changes)
    assert any(problem.startswith(f"ledger.arrow: {message}") for problem in problems), problems


def test_rejects_that_are_not_those_of_the_ledger_are_found(tmp_path: Path) -> None:
    problems = edit_ledger(make_shards(tmp_path / "s"), 6, source_line=70)
    assert problems == ("rejects.jsonl: line 1 is rows.jsonl:7, the ledger says rows.jsonl:70",)


@pytest.mark.parametrize("line", ["{", "{}", '"text"', '{"source_file":"a","findings":[]}'])
def test_a_line_that_is_no_reject_is_found(tmp_path: Path, line: str) -> None:
    path = make_shards(tmp_path / "s")
    (path / "rejects.jsonl").write_bytes(line.encode() + b"\n")
    reseal(path, "rejects.jsonl")
    assert verify(path).problems[0].startswith("rejects.jsonl: line 1 is not a rejected row")


@pytest.mark.parametrize(
    ("name", "text"),
    [("media-00000.arrow", b"a.png"), ("ledger.arrow", b"rejected"), ("samples-00000.arrow", b"question")],
)
def test_text_that_is_not_utf8_under_a_right_hash_is_found(tmp_path: Path, name: str, text: bytes) -> None:
    path = make_shards(tmp_path / "s")
    data = (path / name).read_bytes()
    (path / name).write_bytes(data.replace(text, b"\xff" + text[1:], 1))
    reseal(path, name)
    assert verify(path).problems[0].startswith(f"{name}: not a shard of this format or damaged")


def test_a_null_under_a_right_hash_is_found(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    write_nulls(path / "samples-00000.arrow")
    reseal(path, "samples-00000.arrow")
    assert any("the column 'length' has a null" in problem for problem in verify(path).problems)


def test_content_hash_is_what_verify_recomputes() -> None:
    medium = make_media()
    assert medium.bytes is not None
    assert content_hash(medium.bytes) == medium.hash
