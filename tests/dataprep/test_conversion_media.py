"""Media and splits of a conversion: no pixel is decoded, equal content is stored once, splits do not leak."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image
import PIL.ImageFile
import pytest

from dataprep import convert, open_shards, verify
from dataprep.errors import ConfigError, MediaError, ShardError
from tests.dataprep.conversions import (
    GOLDENS,
    data_uri,
    encode_png,
    image_row,
    make_options,
    read_files,
    read_ledger,
    read_rejects,
    text_row,
    write_png,
    write_rows,
)

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")


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
    def fail(path: Path, indices: list[int], *, timeout_s: float) -> None:
        raise MediaError(str(path), "damaged-data", "frame 3 cannot be decoded")

    monkeypatch.setattr("dataprep.media_placing.decode_frames", fail)
    rows = [{"query": "<video>What?", "response": "A dot.", "videos": ["v30.mp4"]}, text_row(1)]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    options = make_options(media_root=GOLDENS / "videos", on_bad="skip", max_bad_ratio=0.5)
    assert convert([source], tmp_path / "out", options).ledger.by_code == {"V352": 1}
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


def test_a_row_says_its_split_itself(tmp_path: Path) -> None:
    rows = [text_row(number) | {"split": name} for number, name in enumerate(["val", "train", "held-out", None])]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    val = write_rows(tmp_path / "val.jsonl", [text_row(9), text_row(10) | {"split": "train"}])
    manifest = convert([source], tmp_path / "out", make_options(val=(val,)))
    splits = [row["split"] for row in read_ledger(tmp_path / "out")]
    assert splits == ["val", "train", "held-out", "train", "val", "train"]
    assert {name: totals.rows for name, totals in manifest.splits.items()} == {"train": 3, "val": 2, "held-out": 1}
    assert verify(tmp_path / "out").ok
    plain = write_rows(tmp_path / "plain.jsonl", [text_row(number) for number in range(4)])
    convert([plain], tmp_path / "plain", make_options())
    ids = {sample.source_line: sample.input_ids.tolist() for sample in open_shards(tmp_path / "out")
           if sample.source_file == "rows.jsonl"}  # fmt: skip
    assert ids == {sample.source_line: sample.input_ids.tolist() for sample in open_shards(tmp_path / "plain")}


def test_a_row_that_bridges_splits_is_rejected(tmp_path: Path) -> None:
    rows = []
    for number in range(40):
        write_png(tmp_path / f"{number}.png", (number, 2 * number, 99))
        rows.append(image_row(f"{number}.png"))
    source = write_rows(tmp_path / "rows.jsonl", [*rows, image_row(*(f"{number}.png" for number in range(40)))])
    options = make_options(split="val=0.4", on_bad="skip", max_length=100_000)
    convert([source], tmp_path / "out", options)
    *_, last = read_ledger(tmp_path / "out")
    assert (last["outcome"], last["codes"]) == ("rejected", ["D507"])
    (reject,) = read_rejects(tmp_path / "out")
    assert reject["findings"][0]["message"].startswith("its media are in the splits train and val")
    assert verify(tmp_path / "out").ok
