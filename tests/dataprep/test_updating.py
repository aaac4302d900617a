"""Bringing shards up to date gives, byte for byte, what a new conversion gives, and encodes what changed alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dataprep import convert, verify
from dataprep.errors import ConfigError, DataprepError, ShardError
from dataprep.shards.manifest import read_manifest
from dataprep.updating import append, swap, update
from tests.dataprep.conversions import (
    SKIP,
    image_row,
    make_options,
    read_files,
    text_row,
    write_png,
    write_rows,
    write_varied,
)

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")
Lines = list[str]
Edit = Callable[[Path, Lines], Lines]


def edit_a_row(folder: Path, lines: Lines) -> Lines:
    return [lines[0].replace("What is", "What was"), *lines[1:]]


def insert_rows(folder: Path, lines: Lines) -> Lines:
    return [lines[0], json.dumps(text_row(77)), json.dumps(image_row("2.png", "2.png")), *lines[1:]]


def delete_rows(folder: Path, lines: Lines) -> Lines:
    return lines[:2] + lines[5:-2]


def swap_rows(folder: Path, lines: Lines) -> Lines:
    return lines[::-1]


def change_spelling(folder: Path, lines: Lines) -> Lines:
    return [
        json.dumps(dict(reversed(json.loads(lines[0]).items())), indent=None, separators=(" , ", " : ")),
        *lines[1:],
    ]


def mend_a_row(folder: Path, lines: Lines) -> Lines:
    write_png(folder / "gone.png", (1, 2, 3))
    return [line for line in lines if "cut" not in line]


def break_a_row(folder: Path, lines: Lines) -> Lines:
    (folder / "1.png").unlink()
    return lines


def repaint_an_image(folder: Path, lines: Lines) -> Lines:
    write_png(folder / "2.png", (9, 9, 9), (120, 40))
    return lines


def resize_an_image(folder: Path, lines: Lines) -> Lines:
    write_png(folder / "2.png", (9, 9, 9), (40, 999))
    return lines


def touch_an_image(folder: Path, lines: Lines) -> Lines:
    os.utime(folder / "2.png", ns=(10**18, 10**18))
    return lines


EDITS = [
    edit_a_row, insert_rows, delete_rows, swap_rows, change_spelling, mend_a_row, break_a_row, repaint_an_image,
    resize_an_image, touch_an_image,
]  # fmt: skip


@pytest.mark.parametrize("media", ["embed", "link"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_update_is_a_new_conversion(tmp_path: Path, edit: Edit, media: str) -> None:
    source = Path(write_varied(tmp_path))
    options = make_options(media=media, **SKIP)
    convert([str(source)], tmp_path / "out", options)
    source.write_text("".join(f"{line}\n" for line in edit(tmp_path, source.read_text().splitlines())))
    done = update([str(source)], tmp_path / "out", options)
    convert([str(source)], tmp_path / "fresh", options)
    assert read_files(tmp_path / "out") == read_files(tmp_path / "fresh")
    assert verify(tmp_path / "out").ok
    assert done.num_taken > 10
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["fresh", "out"]


@pytest.mark.parametrize("edit", [insert_rows, swap_rows])
def test_two_workers_update_to_the_same_bytes(tmp_path: Path, edit: Edit) -> None:
    source = Path(write_varied(tmp_path))
    convert([str(source)], tmp_path / "out", make_options(**SKIP))
    source.write_text("".join(f"{line}\n" for line in edit(tmp_path, source.read_text().splitlines())))
    update([str(source)], tmp_path / "out", make_options(jobs=2, **SKIP))
    convert([str(source)], tmp_path / "fresh", make_options(**SKIP))
    assert read_files(tmp_path / "out") == read_files(tmp_path / "fresh")


def test_ten_edits_encode_ten_rows(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(300)])
    convert([source], tmp_path / "out", make_options())
    write_rows(tmp_path / "rows.jsonl", [text_row(number if number % 30 else number + 1000) for number in range(300)])
    done = update([source], tmp_path / "out", make_options())
    assert (done.num_taken, done.num_encoded) == (290, 10)


@pytest.mark.parametrize("media", ["embed", "link"])
def test_nothing_new_touches_nothing(tmp_path: Path, media: str) -> None:
    source = write_varied(tmp_path)
    options = make_options(media=media, **SKIP)
    convert([source], tmp_path / "out", options)
    before = {path: path.stat().st_mtime_ns for path in [tmp_path / "out", *(tmp_path / "out").iterdir()]}
    done = update([source], tmp_path / "out", options)
    assert done.is_unchanged
    assert {path: path.stat().st_mtime_ns for path in [tmp_path / "out", *(tmp_path / "out").iterdir()]} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_findings_of_lengths_are_taken_over(tmp_path: Path) -> None:
    long = {"query": "word " * 60, "response": "no"}  # a small share of its tokens is trained: a warning
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1), long, {"query": "q" * 400, "response": "r"}])
    options = make_options(max_length=400, **SKIP)
    convert([source], tmp_path / "out", options)
    write_rows(tmp_path / "rows.jsonl", [long, text_row(2), text_row(1), {"query": "q" * 400, "response": "r"}])
    done = update([source], tmp_path / "out", options)
    convert([source], tmp_path / "fresh", options)
    assert read_files(tmp_path / "out") == read_files(tmp_path / "fresh")
    assert read_manifest(tmp_path / "out").ledger.by_code
    assert (done.num_taken, done.num_encoded) == (2, 2)


def test_an_appended_file_is_converted_and_the_others_taken_over(tmp_path: Path) -> None:
    first = write_varied(tmp_path)
    second = write_rows(tmp_path / "more" / "b.jsonl", [text_row(107), image_row("5.png", query="New?"), text_row(108)])
    val = write_rows(tmp_path / "v.jsonl", [text_row(109)])
    options = make_options(media_root=tmp_path, on_bad="skip", max_bad_ratio=1.0)
    convert([first], tmp_path / "out", options)
    assert append([second], tmp_path / "out", options).num_encoded == 3
    done = append([], tmp_path / "out", make_options(**(SKIP | {"split": None}), media_root=tmp_path, val=(val,)))
    assert (done.num_taken, done.num_encoded) == (27, 1)
    fresh = make_options(media_root=tmp_path, on_bad="skip", max_bad_ratio=1.0, val=(val,))
    convert([first, second], tmp_path / "fresh", fresh)
    assert read_files(tmp_path / "out") == read_files(tmp_path / "fresh")


def test_other_options_are_refused_in_words(tmp_path: Path) -> None:
    source = write_varied(tmp_path)
    convert([source], tmp_path / "out", make_options(**SKIP))
    before = read_files(tmp_path / "out")
    for changes, words in (
        ({"max_length": 9000}, "--max-length is 9000, they were made with 4096"),
        ({"max_num": 3}, "--max-num is 3, they were made with 12"),
        ({"media": "link"}, "--media is 'link', they were made with 'embed'"),
        ({"model": make_options().model.parent / "tokenizer_bos"}, "the tokenizer .* differ"),
        ({"split": None}, "the drawn split 'val'; repeat"),
    ):
        with pytest.raises(ConfigError, match=words):
            update([source], tmp_path / "out", make_options(**(SKIP | changes)))
    assert read_files(tmp_path / "out") == before


def test_a_damaged_file_is_not_taken_over(tmp_path: Path) -> None:
    source = write_varied(tmp_path)
    convert([source], tmp_path / "out", make_options(**SKIP))
    shard = tmp_path / "out" / "samples-00001.arrow"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(ShardError, match=r"samples-00001\.arrow"):
        update([source], tmp_path / "out", make_options(**SKIP))


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_swap_gives_each_the_name_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not can_exchange:
        monkeypatch.setattr("dataprep.updating._exchange", lambda first, second: False)
    swap(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "b").exists()
    assert (tmp_path / "b" / "a").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("dies_in", ["convert", "swap", "after", "between"])
def test_a_run_that_dies_leaves_old_or_new_shards_and_the_next_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    source = write_varied(tmp_path)
    out, options = tmp_path / "out", make_options(**SKIP)
    convert([source], out, options)
    old = read_files(out)
    write_rows(tmp_path / "rows.jsonl", [text_row(5), *Path(source).read_text().splitlines()])
    convert([source], tmp_path / "fresh", options)
    new = read_files(tmp_path / "fresh")

    class KilledError(BaseException):
        pass

    def die(*arguments: object, **others: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        if dies_in == "between":
            patched.setattr("dataprep.updating._exchange", lambda first, second: False)
            rename = Path.rename

            def rename_one(path: Path, target: Path) -> Path:
                if path.name == ".out.update":
                    raise KilledError
                return rename(path, target)

            patched.setattr(Path, "rename", rename_one)
        elif dies_in == "after":
            patched.setattr("dataprep.updating.swap", lambda place, beside: die(swap(place, beside)))
        else:
            target = {"convert": "conversion._write_shards", "swap": "updating.swap"}[dies_in]
            patched.setattr(f"dataprep.{target}", die)
        with pytest.raises(KilledError):
            update([source], out, options)
    assert not out.exists() if dies_in == "between" else read_files(out) in (old, new)
    done = update([source], out, options)
    assert read_files(out) == new
    assert done.is_unchanged == (dies_in == "after")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["fresh", "out"]


def test_what_holds_no_shards_is_refused(tmp_path: Path) -> None:
    source = write_varied(tmp_path)
    with pytest.raises(DataprepError, match="no such directory"):
        update([source], tmp_path / "out", make_options())
    (tmp_path / "out").mkdir()
    with pytest.raises(DataprepError, match=r"no manifest\.json"):
        update([source], tmp_path / "out", make_options())
