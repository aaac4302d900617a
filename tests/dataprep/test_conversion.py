"""Every input row is accounted for, exactly."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataprep import convert, open_shards, verify
from dataprep.conversion import PARTS_FOLDER
from dataprep.errors import DataprepError
from dataprep.pool import run_ordered
from dataprep.shards.manifest import Manifest
from tests.dataprep.conversions import (
    SKIP,
    make_options,
    read_ledger,
    read_rejects,
    read_table,
    text_row,
    write_half_bad,
    write_rows,
    write_varied,
)

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")


def test_every_row_is_one_line_of_the_ledger(tmp_path: Path) -> None:
    first = write_rows(tmp_path / "a.jsonl", [text_row(1), "", '{"query": "cut', "  ", text_row(2), "[]", '"word"'])
    second = write_rows(tmp_path / "b.json", ["[", '{"query": "q",', '"response": "r"},', json.dumps(text_row(3)), "]"])
    manifest = convert([first, second], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=1.0))
    ledger = read_ledger(tmp_path / "out")
    lines = [(row["source_file"], row["source_line"], row["outcome"]) for row in ledger]
    assert lines == [
        ("a.jsonl", 1, "converted"),
        ("a.jsonl", 3, "rejected"),
        ("a.jsonl", 5, "converted"),
        ("a.jsonl", 6, "rejected"),
        ("a.jsonl", 7, "rejected"),
        ("b.json", 2, "converted"),
        ("b.json", 4, "converted"),
    ]
    assert (manifest.ledger.rows_in, manifest.ledger.converted, manifest.ledger.rejected) == (7, 4, 3)
    assert [source.rows for source in manifest.sources] == [5, 2]
    rejects = [(entry["source_line"], entry["text"]) for entry in read_rejects(tmp_path / "out")]
    assert rejects == [(3, '{"query": "cut'), (6, "[]"), (7, '"word"')]
    assert not (tmp_path / "out" / PARTS_FOLDER).exists()


def test_the_ledger_says_where_each_sample_is(tmp_path: Path) -> None:
    options = make_options(on_bad="skip", max_bad_ratio=1.0, split="val=0.4")
    convert([write_varied(tmp_path)], tmp_path / "out", options)
    shards = open_shards(tmp_path / "out")
    assert len(shards.manifest.sample_shards) > 2
    assert {shard.split for shard in shards.manifest.sample_shards} == {"train", "val"}
    placed = [row for row in read_ledger(tmp_path / "out") if row["outcome"] == "converted"]
    tables = [read_table(tmp_path / "out" / shard.file) for shard in shards.manifest.sample_shards]
    for row in placed:
        sample = tables[row["shard"]][row["row_in_shard"]]
        assert [sample[name] for name in ("source_line", "row_hash", "split")] == [
            row[name] for name in ("source_line", "row_hash", "split")
        ]
    assert len(placed) == len(shards) == 24
    assert verify(tmp_path / "out").problems == ()


def test_a_row_that_is_not_utf8_comes_back_exactly(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(json.dumps(text_row(1)).encode() + b'\n{"query": "\xff\x00"}\r\n')
    options = make_options(on_bad="skip", max_bad_ratio=0.5)
    convert([str(tmp_path / "rows.jsonl")], tmp_path / "out", options)
    (entry,) = read_rejects(tmp_path / "out")
    assert entry["text_base64"] == "eyJxdWVyeSI6ICL/ACJ9"
    assert verify(tmp_path / "out").ok


REAL_FILES = [
    "bad_boxes.jsonl", "grounding_direct.jsonl", "grounding_multi_object.jsonl", "grounding_norm_1.jsonl",
    "grounding_norm_1000.jsonl", "grounding_real.jsonl", "grounding_real_float.jsonl", "grounding_real_reverse.jsonl",
    "grounding_two_images.jsonl", "missing_media.jsonl", "missing_media_grounding_norm1.jsonl", "mixed.json",
    "multi_image_history.jsonl", "nasty_image.jsonl", "nasty_video.jsonl", "referring.jsonl", "text.jsonl",
    "video.jsonl", "vqa.jsonl", "zh_img_tag.jsonl", "zh_multi_image.jsonl", "zh_single_image.jsonl",
]  # fmt: skip


def test_no_real_file_is_forgotten(real_rows: Path) -> None:
    assert sorted(path.name for path in real_rows.glob("rows_*")) == sorted(f"rows_{name}" for name in REAL_FILES)


@pytest.mark.parametrize("media", ["embed", "link"])
@pytest.mark.parametrize("name", REAL_FILES)
def test_real_rows_are_all_accounted_for(
    real_rows: Path, tmp_path: Path, name: str, media: str, real_chunks: None
) -> None:
    source = real_rows / f"rows_{name}"
    text = source.read_text(encoding="utf-8")
    rows = json.loads(text) if name.endswith(".json") else [json.loads(line) for line in text.splitlines()]
    options = make_options(media_root=real_rows.parent, media=media, on_bad="skip", max_bad_ratio=1.0)
    ledger = convert([str(source)], tmp_path / "out", options).ledger
    assert len(rows) == ledger.rows_in == ledger.converted + ledger.rejected
    lines = text.splitlines()
    rejects = read_rejects(tmp_path / "out")
    assert len(rejects) == ledger.rejected
    for entry in rejects:
        assert entry["source_file"] == f"rows_{name}"
        assert name.endswith(".json") or entry["text"] == lines[entry["source_line"] - 1]
        assert entry["findings"]
        assert all(finding["code"] and finding["message"] for finding in entry["findings"])
    assert verify(tmp_path / "out").problems == ()
    shards = open_shards(tmp_path / "out")
    stored = [shards.media(number) for number in range(shards.num_media)]
    assert all(shards.read_media(medium) for medium in stored if medium.format in ("jpeg", "png", "webp", "gif"))


@pytest.mark.parametrize("max_num", [1, 6, 12])
def test_tiles_of_real_images_are_those_expected(
    real_rows: Path, tmp_path: Path, max_num: int, real_chunks: None
) -> None:
    expected = json.loads((real_rows / "EXPECTED_tiles.json").read_text(encoding="utf-8"))["tiles"]
    wanted = {entry["file"]: entry[f"max_num={max_num},thumbnail=True"] for entry in expected}
    # Together these name every image of the real rows.
    names = ["direct", "multi_object", "real_float", "two_images"]
    paths = [str(real_rows / f"rows_grounding_{name}.jsonl") for name in names]
    names = ["multi_image_history", "nasty_image", "referring", "vqa", "zh_multi_image", "zh_single_image"]
    paths += [str(real_rows / f"rows_{name}.jsonl") for name in names]
    options = make_options(
        media_root=real_rows.parent, media="link", on_bad="skip", max_bad_ratio=1.0, max_length=10**6, max_num=max_num
    )
    convert(paths, tmp_path / "out", options)
    shards = open_shards(tmp_path / "out")
    media_paths = [shards.media(number).path for number in range(shards.num_media)]
    seen: dict[str, int] = {}
    for sample in shards:
        for image in sample.images:
            path = media_paths[image.media]
            assert path is not None
            assert seen.setdefault(path, image.tiles) == image.tiles
    known = {path: tiles for path, tiles in seen.items() if path in wanted}
    assert known == {path: wanted[path] for path in known}
    assert len(known) > 200
    # What the oracle could not decode; a header is enough for us.
    assert {path for path in seen if path not in wanted} <= UNDECODABLE


UNDECODABLE = {
    "nasty/pillow/truncated_jpeg.jpg",
}


def die(state: None, task: int) -> int:
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def build_nothing() -> None:
    return None


def test_a_killed_worker_is_a_clear_error() -> None:
    def collect() -> Iterator[int]:
        yield from run_ordered(die, range(9), build=build_nothing, jobs=2)

    with pytest.raises(DataprepError, match=r"a worker process died .*-j 1.*continues where it stopped"):
        list(collect())


def test_progress_counts_every_stage_to_its_end(tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}

    def progress(stage: str, done: int, total: int) -> None:
        assert seen.get(stage, (0, 0))[0] < done <= total
        seen[stage] = (done, total)

    convert([write_varied(tmp_path)], tmp_path / "out", make_options(**SKIP), progress=progress)
    assert list(seen) == ["media for the split", "rows", "media shards", "sample shards"]
    assert all(done == total for done, total in seen.values())


def test_the_manifest_that_is_returned_is_the_one_on_disk(tmp_path: Path) -> None:
    manifest = convert([write_half_bad(tmp_path, 0)], tmp_path / "out", make_options())
    assert Manifest.from_json((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8")) == manifest
