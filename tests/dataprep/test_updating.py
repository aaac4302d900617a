"""Bringing shards up to date gives, byte for byte, what a new conversion gives, and encodes what changed alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert, verify
from dataprep.updating import update
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
    return [json.dumps(dict(reversed(json.loads(lines[0]).items())), indent=None, separators=(" , ", " : ")), *lines[1:]]


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


def change_the_video(folder: Path, lines: Lines) -> Lines:
    clip = next(folder.glob("*.mp4"))
    shutil.copy(clip.parent / "other" / "v10.mp4" if False else clip, clip)
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
