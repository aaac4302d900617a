"""Every input row is accounted for, exactly, whatever happens to the run."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageFile
import pytest

from dataprep import convert, open_shards, verify
from dataprep.conversion import PARTS_FOLDER, BadRowsError, _refuse_bad_rows
from dataprep.errors import ConfigError, DataprepError, MediaError, ShardError, SourceError
from dataprep.planning import Part, Planner
from dataprep.pool import run_ordered
from dataprep.rules.base import CheckedRow
from dataprep.shards.atomic import HashingFile
from dataprep.shards.manifest import Manifest
from dataprep.sources import RawRow
from tests.dataprep.conversions import (
    GOLDENS,
    data_uri,
    encode_png,
    image_row,
    make_options,
    read_files,
    read_ledger,
    read_rejects,
    read_table,
    text_row,
    write_png,
    write_rows,
    write_varied,
)

REPO = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def small_chunks_and_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make several parts and several shards out of a few rows."""
    monkeypatch.setattr("dataprep.blocks.CHUNK_ROWS", 4)
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", 1500)


# Every row


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


@pytest.fixture
def real_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.blocks.CHUNK_ROWS", 256)
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", 256 << 20)


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


# The goldens


def read_by_id(name: str) -> dict[str, dict[str, Any]]:
    lines = (GOLDENS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return {entry["id"]: entry for entry in map(json.loads, lines)}


VARIANTS = {
    "internvl": ("internvl-chat-v1_5", "tokenizer_bos"),
    "internvl2": ("internvl2-8b", "tokenizer_bos"),
    "internvl2-nobos": ("internvl2-1b", "tokenizer_nobos"),
    "internvl2-phi3": ("internvl2-4b", "tokenizer_bos"),
    "internvl-phi3": ("mini-internvl-chat-4b-v1_5", "tokenizer_bos"),
}


def parse_options(words: str) -> dict[str, Any]:
    given = words.split()
    named = dict(zip(given[::2], given[1::2], strict=True))
    changes = {name.removeprefix("--").replace("-", "_"): value.strip("'\"") for name, value in named.items()}
    return {name: int(value) if value.isdigit() else value for name, value in changes.items()}


def group_verdicts(variant: str, kind: str) -> dict[tuple[str, int], list[str]]:
    """Names of the golden rows with a verdict, by the options to convert them with."""
    groups: dict[tuple[str, int], list[str]] = {}
    for name, verdict in read_by_id("verdicts").items():
        v1_5 = variant in ("internvl", "internvl-phi3")
        if (verdict.get("v1_5", verdict["verdict"]) if v1_5 else verdict["verdict"]) == kind:
            key = (verdict.get("options", ""), verdict["max_length"] or 100_000)
            groups.setdefault(key, []).append(name)
    return groups


@pytest.mark.parametrize("variant", VARIANTS)
def test_goldens_come_out_of_convert_as_expected(tmp_path: Path, variant: str, real_chunks: None) -> None:
    model_type, tokenizer = VARIANTS[variant]
    rows, goldens = read_by_id("rows"), read_by_id("goldens")
    compared = 0
    for number, ((words, max_length), names) in enumerate(group_verdicts(variant, "same").items()):
        source = write_rows(tmp_path / f"{number}.jsonl", [rows[name]["row"] for name in names])
        options = make_options(
            model_type=model_type,
            model=GOLDENS / tokenizer,
            media_root=GOLDENS,
            max_length=max_length,
            **parse_options(words),
        )
        convert([source], tmp_path / str(number), options)
        samples = list(open_shards(tmp_path / str(number)))
        for name, sample in zip(names, samples, strict=True):
            expected = goldens[name]["encoded"][variant]
            for column in ("input_ids", "labels"):
                digest = hashlib.sha256(getattr(sample, column).astype("<i4").tobytes()).hexdigest()
                assert digest == expected[column]["sha256_i32le"], (name, column)
            assert [image.tiles for image in sample.images] == [i["tiles"] for i in expected.get("images", [])], name
            compared += 1
    assert compared > 50


@pytest.mark.parametrize("variant", VARIANTS)
def test_goldens_to_reject_are_rejected(tmp_path: Path, variant: str, real_chunks: None) -> None:
    model_type, tokenizer = VARIANTS[variant]
    rows = read_by_id("rows")
    for number, ((words, max_length), names) in enumerate(group_verdicts(variant, "reject").items()):
        source = write_rows(tmp_path / f"{number}.jsonl", [rows[name]["row"] for name in names])
        options = make_options(
            model_type=model_type,
            model=GOLDENS / tokenizer,
            media_root=GOLDENS,
            max_length=max_length,
            on_bad="skip",
            max_bad_ratio=1.0,
            **parse_options(words),
        )
        ledger = convert([source], tmp_path / str(number), options).ledger
        outcomes = [row["outcome"] for row in read_ledger(tmp_path / str(number))]
        assert dict(zip(names, outcomes, strict=True)) == dict.fromkeys(names, "rejected")
        assert ledger.rejected == len(names)


# The same bytes, whatever happens

SKIP = {"on_bad": "skip", "max_bad_ratio": 1.0, "split": "val=0.4"}


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("varied")
    write_varied(folder)
    return folder


@pytest.fixture
def reference(varied: Path, small_chunks_and_shards: None) -> dict[str, bytes]:
    """All files of an undisturbed conversion with one process."""
    out = varied / "reference"
    if not out.exists():
        convert([str(varied / "rows.jsonl")], out, make_options(**SKIP))
    return read_files(out)


def test_the_reference_is_worth_comparing_with(varied: Path, reference: dict[str, bytes]) -> None:
    assert sum(name.startswith("samples-") for name in reference) > 2
    assert sum(name.startswith("media-") for name in reference) > 2
    assert reference["rejects.jsonl"].count(b"\n") == 2


def test_a_second_conversion_gives_the_same_bytes(varied: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    convert([str(varied / "rows.jsonl")], tmp_path / "out", make_options(**SKIP))
    assert read_files(tmp_path / "out") == reference


def test_two_workers_give_the_same_bytes(varied: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    convert([str(varied / "rows.jsonl")], tmp_path / "out", make_options(**SKIP, jobs=2))
    assert read_files(tmp_path / "out") == reference


class StoppedError(Exception):
    pass


def stop_at(number: int) -> Callable[[str, int, int], None]:
    calls = iter(range(1, number))

    def progress(stage: str, done: int, total: int) -> None:
        if next(calls, None) is None:
            raise StoppedError(stage)

    return progress


@pytest.mark.parametrize("number", [1, 3, 7, 8, 11, 13])
def test_an_interrupted_run_continues_to_the_same_bytes(
    varied: Path, reference: dict[str, bytes], tmp_path: Path, number: int
) -> None:
    arguments = [str(varied / "rows.jsonl")], tmp_path / "out", make_options(**SKIP)
    with pytest.raises(StoppedError):
        convert(*arguments, progress=stop_at(number))
    with pytest.raises(ShardError):
        open_shards(tmp_path / "out")
    convert(*arguments)
    assert read_files(tmp_path / "out") == reference


def test_a_continued_run_checks_no_row_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(12)])
    with pytest.raises(StoppedError):
        convert([source], tmp_path / "out", make_options(), progress=stop_at(2))
    checked = []
    original = Planner.check

    def check(self: Planner, raws: Sequence[RawRow]) -> list[CheckedRow]:
        checked.extend(raw.location.line for raw in raws)
        return original(self, raws)

    monkeypatch.setattr(Planner, "check", check)
    convert([source], tmp_path / "out", make_options())
    assert checked == [9, 10, 11, 12]


def test_a_continued_run_leaves_no_shard_of_the_one_before(tmp_path: Path) -> None:
    for number in range(9):
        noise = os.urandom(1000)
        path = write_png(tmp_path / f"{number}.png", (number, 1, 1))
        path.write_bytes(path.read_bytes() + noise)
    source = write_rows(tmp_path / "rows.jsonl", [image_row(f"{number}.png") for number in range(9)])
    with pytest.raises(StoppedError):
        convert([source], tmp_path / "out", make_options(), progress=stop_at(3 + 9 + 2))
    assert len(list((tmp_path / "out").glob("media-*.arrow"))) == 9
    (tmp_path / "out" / "samples-00007.arrow.tmp").write_bytes(b"half")
    write_rows(tmp_path / "rows.jsonl", [image_row("0.png")])
    convert([source], tmp_path / "out", make_options())
    names = ["ledger.arrow", "manifest.json", "media-00000.arrow", "rejects.jsonl", "samples-00000.arrow"]
    assert list(read_files(tmp_path / "out")) == names
    assert verify(tmp_path / "out").problems == ()


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
import dataprep.assembly, dataprep.blocks
from dataprep import convert
from tests.dataprep.conversions import make_options

dataprep.blocks.CHUNK_ROWS, dataprep.assembly.SHARD_BYTES = 4, 1500
number, calls, fsync = int(sys.argv[3]), 0, os.fsync

def kill_at(descriptor):
    global calls
    calls += 1
    if calls == number:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)

os.fsync = kill_at
convert([sys.argv[1]], Path(sys.argv[2]), make_options(on_bad="skip", max_bad_ratio=1.0, split="val=0.4"))
print(calls)
"""


def run_killed(source: Path, out: Path, number: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED_RUN, str(source), str(out), str(number)]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def num_flushes(varied: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How often a whole run flushes: the moments at which it can be killed with something half done."""
    return int(run_killed(varied / "rows.jsonl", tmp_path_factory.mktemp("whole") / "out", 0).stdout)


@pytest.mark.parametrize("moment", [0.1, 0.6, 0.99])
def test_a_killed_run_continues_to_the_same_bytes(
    varied: Path, reference: dict[str, bytes], tmp_path: Path, num_flushes: int, moment: float
) -> None:
    out = tmp_path / "out"
    killed = run_killed(varied / "rows.jsonl", out, int(moment * num_flushes))
    assert killed.returncode == -signal.SIGKILL
    assert (out / PARTS_FOLDER).is_dir()
    assert not (out / "manifest.json").exists()
    assert not verify(out).ok
    convert([str(varied / "rows.jsonl")], out, make_options(**SKIP))
    assert read_files(out) == reference


# No pixel


@pytest.fixture
def without_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every way to the pixels of a still image fail."""

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a pixel was decoded")

    monkeypatch.setattr(PIL.Image.Image, "load", refuse)
    monkeypatch.setattr(PIL.ImageFile.ImageFile, "load", refuse)
    monkeypatch.setattr(PIL.Image, "_getdecoder", refuse)
    monkeypatch.setattr("dataprep.media.decode.open_rgb", refuse)


@pytest.mark.parametrize("media", ["link", "embed"])
def test_converting_decodes_no_pixel(tmp_path: Path, without_pixels: None, media: str) -> None:
    encoded = (GOLDENS / "images" / "sq_448.png").read_bytes()
    bad = ("empty.jpg", "notimage.jpg")
    names = sorted(path.name for path in (GOLDENS / "images").iterdir() if path.name not in bad)
    assert len(names) > 25
    source = write_rows(tmp_path / "rows.jsonl", [image_row(f"images/{name}") for name in names])
    options = make_options(media_root=GOLDENS, media=media, max_length=100_000)
    assert convert([source], tmp_path / "out", options).ledger.converted == len(names)
    with pytest.raises(AssertionError, match="a pixel was decoded"):
        PIL.Image.open(io.BytesIO(encoded)).convert("RGB")


# Media


def test_equal_content_is_stored_once(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    write_png(tmp_path / "sub" / "b.png", (1, 2, 3))
    rows = [image_row("a.png"), image_row("sub/b.png", "a.png"), image_row(data_uri(encode_png((1, 2, 3))))]
    rows += [text_row(number) for number in range(4)] + [image_row("sub/b.png"), image_row("a.png", query="And?")]
    convert([write_rows(tmp_path / "rows.jsonl", rows)], tmp_path / "out", make_options())
    shards = open_shards(tmp_path / "out")
    assert shards.num_media == 1
    assert [[image.media for image in sample.images] for sample in shards][:3] == [[0], [0, 0], [0]]
    assert shards.read_media(shards.media(0)) == encode_png((1, 2, 3))
    assert shards.media(0).path == "a.png"


def test_frames_are_stored_once(tmp_path: Path) -> None:
    rows = [{"query": f"<video>Question {number}?", "response": "Yes.", "videos": ["v30.mp4"]} for number in range(6)]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    convert([source], tmp_path / "out", make_options(media_root=GOLDENS / "videos"))
    shards = open_shards(tmp_path / "out")
    assert shards.num_media == len({image.media for sample in shards for image in sample.images}) <= 8
    assert {shards.media(number).format for number in range(shards.num_media)} == {"png"}
    assert all(len(sample.images) == 8 for sample in shards)


def test_links_carry_size_and_time(tmp_path: Path) -> None:
    image = write_png(tmp_path / "media" / "a.png", (1, 2, 3))
    (tmp_path / "media" / "v30.mp4").write_bytes((GOLDENS / "videos" / "v30.mp4").read_bytes())
    rows = [image_row("a.png"), {"query": "<video>What?", "response": "A dot.", "videos": ["v30.mp4"]}]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    convert([source], tmp_path / "out", make_options(media="link", media_root=tmp_path / "media"))
    shards = open_shards(tmp_path / "out")
    facts = image.stat()
    medium = shards.media(0)
    assert (medium.path, medium.size, medium.mtime_ns) == ("a.png", facts.st_size, facts.st_mtime_ns)
    assert (medium.bytes, medium.hash) == (None, None)
    assert shards.read_media(medium) == image.read_bytes()
    assert shards.num_media == 2  # one row for the file of the eight frames
    assert shards.media_path(shards.media(1)).name == "v30.mp4"
    assert sorted({image.frame_index for image in shards[1].images}) == [
        image.frame_index for image in shards[1].images
    ]
    write_png(image, (3, 2, 1), (9, 9))
    with pytest.raises(ShardError, match="changed since conversion"):
        shards.read_media(medium)


@pytest.mark.parametrize("media", ["embed", "link"])
def test_inline_images_keep_their_bytes(tmp_path: Path, media: str) -> None:
    data = encode_png((9, 8, 7))
    write_png(tmp_path / "a.png", (1, 2, 3))
    bare = data_uri(encode_png((5, 5, 5))).partition(",")[2]
    rows = [image_row("a.png"), image_row(data_uri(data)), image_row(data_uri(data), query="Again?"), image_row(bare)]
    convert([write_rows(tmp_path / "rows.jsonl", rows)], tmp_path / "out", make_options(media=media))
    shards = open_shards(tmp_path / "out")
    assert shards.num_media == 3
    stored = [shards.read_media(shards.media(sample.images[0].media)) for sample in shards]
    assert stored == [encode_png((1, 2, 3)), data, data, encode_png((5, 5, 5))]
    assert verify(tmp_path / "out").problems == ()


def test_a_root_behind_a_link_is_the_same_root(tmp_path: Path) -> None:
    write_png(tmp_path / "real" / "a.png", (1, 2, 3))
    write_rows(tmp_path / "real" / "rows.jsonl", [image_row("a.png")])
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("real", "link"):
        convert([str(tmp_path / name / "rows.jsonl")], tmp_path / f"out-{name}", make_options())
    assert open_shards(tmp_path / "out-link").media(0).path == "a.png"
    assert read_files(tmp_path / "out-link") == read_files(tmp_path / "out-real")
    both = [str(tmp_path / name / "rows.jsonl") for name in ("real", "link")]
    with pytest.raises(ConfigError, match=r"rows\.jsonl is named twice"):
        convert(both, tmp_path / "out", make_options())


def test_media_outside_the_root_are_named_by_their_whole_path(tmp_path: Path) -> None:
    outside = write_png(tmp_path / "elsewhere" / "a.png", (1, 2, 3))
    source = write_rows(tmp_path / "data" / "rows.jsonl", [image_row("../elsewhere/a.png")])
    convert([source], tmp_path / "out", make_options(media="link", allow_outside_root=True))
    shards = open_shards(tmp_path / "out")
    assert shards.media(0).path == outside.resolve().as_posix()
    assert shards.read_media(shards.media(0)) == outside.read_bytes()


def test_undecodable_frames_are_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, indices: list[int]) -> None:
        raise MediaError(str(path), "damaged-data", "frame 3 cannot be decoded")

    monkeypatch.setattr("dataprep.planning.read_frames", fail)
    rows = [{"query": "<video>What?", "response": "A dot.", "videos": ["v30.mp4"]}, text_row(1)]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    options = make_options(media_root=GOLDENS / "videos", on_bad="skip", max_bad_ratio=0.5)
    assert convert([source], tmp_path / "out", options).ledger.by_code == {"L604": 1, "V352": 1}
    (entry,) = read_rejects(tmp_path / "out")
    assert "frame 3 cannot be decoded" in entry["findings"][0]["message"]
    assert verify(tmp_path / "out").ok


# Splits


def test_a_picture_is_on_one_side_whatever_its_name(tmp_path: Path, real_chunks: None) -> None:
    rows = []
    for number in range(40):
        data = encode_png((number, 2 * number, 7))
        for name in ("a", "copy"):
            (tmp_path / f"{name}{number}.png").write_bytes(data)
        rows += [
            image_row(f"a{number}.png"),
            image_row(f"copy{number}.png"),
            image_row(data_uri(data), query="Inline?"),
        ]
    rows += [text_row(number) for number in range(40)]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    for media in ("embed", "link"):
        manifest = convert([source], tmp_path / media, make_options(split="val=0.3", media=media))
        splits = [row["split"] for row in read_ledger(tmp_path / media)]
        groups = [splits[3 * number : 3 * number + 3] for number in range(40)]
        assert all(len(set(group)) == 1 for group in groups)
        assert 4 <= sum(group[0] == "val" for group in groups) <= 20
        assert 4 <= splits[120:].count("val") <= 20
        assert manifest.splits["val"].rows == splits.count("val")
        assert verify(tmp_path / media).ok
    assert [row["split"] for row in read_ledger(tmp_path / "embed")] == splits


def test_val_files_are_val_even_where_a_split_is_drawn(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(40)])
    val = write_rows(tmp_path / "val.jsonl", [text_row(number) for number in range(40, 80)])
    convert([source], tmp_path / "out", make_options(split="test=0.5", val=(val,)))
    rows = read_ledger(tmp_path / "out")
    assert {row["split"] for row in rows if row["source_file"] == "val.jsonl"} == {"val"}
    assert {row["split"] for row in rows if row["source_file"] == "rows.jsonl"} == {"train", "test"}


def test_val_files_are_the_split_val(tmp_path: Path) -> None:
    train = write_rows(tmp_path / "train.jsonl", [text_row(number) for number in range(5)])
    val = write_rows(tmp_path / "more" / "val.jsonl", [text_row(9), text_row(10)])
    manifest = convert([train], tmp_path / "out", make_options(val=(val,)))
    shards = open_shards(tmp_path / "out")
    assert [sample.source_file for sample in shards] == ["train.jsonl"] * 5 + ["more/val.jsonl"] * 2
    assert shards.rows("val").tolist() == [5, 6]
    assert [source.split for source in manifest.sources] == ["train", "val"]
    assert verify(tmp_path / "out").ok


@pytest.mark.parametrize("where", ["paths", "val"])
def test_a_file_named_twice_is_an_error(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(tmp_path / "a.jsonl", [text_row(1)])
    monkeypatch.chdir(tmp_path)
    paths, val = (["a.jsonl", "./a.jsonl"], ()) if where == "paths" else (["a.jsonl"], ("a.jsonl",))
    with pytest.raises(ConfigError, match=r"a\.jsonl is named twice; name each data file once"):
        convert(paths, "out", make_options(val=val))
    assert not (tmp_path / "out").exists()


# Bad rows


def write_half_bad(folder: Path, num_bad: int = 3, num_rows: int = 10) -> str:
    rows: list[Any] = [image_row("gone.png") if number < num_bad else text_row(number) for number in range(num_rows)]
    return write_rows(folder / "rows.jsonl", rows)


def test_bad_rows_end_the_run_with_reasons_and_a_way_on(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path)
    with (tmp_path / "rows.jsonl").open("a") as stream:
        stream.write("no json\n")
    with pytest.raises(BadRowsError) as caught:
        convert([source], tmp_path / "out", make_options())
    error = caught.value
    assert (error.num_rows, error.num_rejected) == (11, 4)
    assert {code: count for code, (count, _) in error.reasons.items()} == {"M301": 3, "P001": 1}
    assert error.reasons["M301"][1].startswith(f"{source}:1: ")
    assert str(error).startswith("4 of 11 rows are bad (36.4%); mend them, or accept the loss with: --on-bad skip")
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert error.accepting_options == "--on-bad skip --max-bad-ratio 0.3637"
    skipped = convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=0.3637))
    assert (skipped.ledger.converted, skipped.ledger.rejected) == (7, 4)
    fresh = convert([source], tmp_path / "fresh", make_options(on_bad="skip", max_bad_ratio=1.0))
    assert read_files(tmp_path / "out") == read_files(tmp_path / "fresh")
    assert fresh == skipped


def test_more_bad_rows_than_accepted_end_the_run(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path)
    for ratio in (0.0, 0.05, 0.2999):
        with pytest.raises(BadRowsError, match=f"more than --max-bad-ratio {ratio:g} accepts"):
            convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=ratio))
    assert convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=0.3)).ledger.rejected == 3


def test_the_options_that_are_offered_do_accept(tmp_path: Path) -> None:
    def make_part(num_rows: int, num_rejected: int) -> Part:
        return Part("p", "s", num_rows, num_rejected, {}, {"P001": (num_rejected, "s:1: no")}, {}, [], [])

    for num_rows in range(1, 130):
        for num_rejected in range(1, num_rows + 1):
            part = make_part(num_rows, num_rejected)
            for given in (0.0, 0.05):
                ratio = given
                error = BadRowsError(num_rows, num_rejected, {}, "error", given)
                words = error.accepting_options.split()
                if len(words) > 2:
                    assert words[2] == "--max-bad-ratio"
                    ratio = float(words[3])
                _refuse_bad_rows([part], make_options(on_bad="skip", max_bad_ratio=ratio))


def test_warnings_reject_no_row(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    row = {"query": "What is it?", "response": "Red.", "images": ["a.png", "a.png"]}
    source = write_rows(tmp_path / "rows.jsonl", [row | {"query": "<image>And?"}])
    ledger = convert([source], tmp_path / "out", make_options()).ledger
    assert (ledger.converted, ledger.by_code) == (1, {"L604": 1, "T202": 1})


def test_mended_media_are_taken_up_by_the_next_run(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path)
    with pytest.raises(BadRowsError):
        convert([source], tmp_path / "out", make_options())
    write_png(tmp_path / "gone.png", (1, 2, 3))
    assert convert([source], tmp_path / "out", make_options()).ledger.converted == 10


# Folders, files and disks


def test_an_output_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path, 0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("dear")
    with pytest.raises(ConfigError, match="out holds something else; choose an empty or new folder for --out"):
        convert([source], tmp_path / "out", make_options())
    assert read_files(tmp_path / "out") == {"thesis.txt": b"dear"}


def test_complete_shards_are_left_alone(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path, 0)
    convert([source], tmp_path / "out", make_options())
    before = read_files(tmp_path / "out")
    with pytest.raises(ConfigError, match="already holds complete shards"):
        convert([source], tmp_path / "out", make_options(max_length=77))
    assert read_files(tmp_path / "out") == before


def test_an_empty_output_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert convert([write_half_bad(tmp_path, 0)], tmp_path / "out", make_options()).ledger.converted == 10


@pytest.mark.parametrize("name", ["file", "file/inside", "n" * 300])
def test_an_output_folder_that_cannot_be_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="cannot be used for output"):
        convert([write_half_bad(tmp_path, 0)], tmp_path / name, make_options())
    assert (tmp_path / "file").read_text() == "x"


def test_a_folder_without_permission_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *arguments: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ConfigError, match=r"cannot be used for output \(Permission denied\); choose another --out"):
        convert([str(GOLDENS / "datasets" / "seed_text.jsonl")], tmp_path / "out", make_options())


@pytest.mark.parametrize("number", [1, 12, 40, 60])
def test_a_full_disk_leaves_nothing_that_looks_whole(
    varied: Path, reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write, calls = HashingFile.write, iter(range(1, number))

    def write_until_full(self: HashingFile, data: bytes) -> int:
        if next(calls, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    arguments = [str(varied / "rows.jsonl")], tmp_path / "out", make_options(**SKIP)
    with monkeypatch.context() as patch:
        patch.setattr(HashingFile, "write", write_until_full)
        with pytest.raises(ShardError, match=r"No space left on device.*[Ff]ree space on that disk"):
            convert(*arguments)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not list((tmp_path / "out").rglob("*.tmp"))
    convert(*arguments)
    assert read_files(tmp_path / "out") == reference


def test_a_source_edited_during_the_run_is_an_error(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path, 0)

    def edit(stage: str, done: int, total: int) -> None:
        with Path(source).open("a") as stream:
            stream.write(json.dumps(text_row(77)) + "\n")

    with pytest.raises(SourceError, match=r"rows\.jsonl changed while it was read; run the command again"):
        convert([source], tmp_path / "out", make_options(), progress=edit)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert convert([source], tmp_path / "out", make_options()).ledger.rows_in > 10


@pytest.mark.parametrize("change", ["edited", "removed"])
def test_media_changed_between_the_stages_are_an_error(tmp_path: Path, change: str) -> None:
    image = write_png(tmp_path / "a.png", (1, 2, 3))
    source = write_rows(tmp_path / "rows.jsonl", [image_row("a.png")])

    def disturb(stage: str, done: int, total: int) -> None:
        if change == "removed":
            image.unlink()
        elif stage == "rows":
            write_png(image, (3, 2, 1))

    message = "changed during the conversion" if change == "edited" else "cannot be read any more"
    with pytest.raises(SourceError, match=rf"a\.png.* {message}.*leave media alone"):
        convert([source], tmp_path / "out", make_options(), progress=disturb)
    assert not (tmp_path / "out" / "manifest.json").exists()
    if change == "removed":
        write_png(image, (5, 5, 5), (7, 9))
    convert([source], tmp_path / "out", make_options())
    shards = open_shards(tmp_path / "out")
    assert shards.read_media(shards.media(0)) == image.read_bytes()
    assert (shards[0].images[0].width, shards[0].images[0].height) == ((24, 24) if change == "edited" else (7, 9))


@pytest.mark.parametrize("rows", [[], ["", "   "]])
def test_empty_input_is_an_error(tmp_path: Path, rows: list[Any]) -> None:
    source = write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(ConfigError, match="the data files hold no rows at all; check the paths"):
        convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=1.0))
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_one_empty_file_among_others_is_fine(tmp_path: Path) -> None:
    paths = [write_rows(tmp_path / "a.jsonl", []), write_rows(tmp_path / "b.jsonl", [text_row(1)])]
    manifest = convert(paths, tmp_path / "out", make_options())
    assert [source.rows for source in manifest.sources] == [0, 1]
    assert verify(tmp_path / "out").problems == ()


def test_standard_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="standard input cannot be converted"):
        convert(["-"], tmp_path / "out", make_options())


def test_compressed_sources_give_the_same_samples(tmp_path: Path) -> None:
    import gzip

    source = write_half_bad(tmp_path, 0)
    packed = tmp_path / "packed" / "rows.jsonl.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(Path(source).read_bytes()))
    for path, out in ((source, "a"), (str(packed), "b")):
        convert([path], tmp_path / out, make_options())
    plain, unpacked = list(open_shards(tmp_path / "a")), list(open_shards(tmp_path / "b"))
    assert [s.input_ids.tolist() for s in plain] == [s.input_ids.tolist() for s in unpacked]
    assert verify(tmp_path / "b").ok


# Workers


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
    assert list(seen) == ["rows", "media shards", "sample shards"]
    assert all(done == total for done, total in seen.values())


def test_the_manifest_that_is_returned_is_the_one_on_disk(tmp_path: Path) -> None:
    manifest = convert([write_half_bad(tmp_path, 0)], tmp_path / "out", make_options())
    assert Manifest.from_json((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8")) == manifest
