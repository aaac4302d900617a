"""Splits are drawn by groups of rows that share media: nothing is on both sides."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataprep import convert
from dataprep.splitting import draw_splits
from tests.dataprep.conversions import (
    GOLDENS,
    TOKENIZER,
    image_row,
    make_options,
    read_ledger,
    text_row,
    write_png,
    write_rows,
)


def draw(source: str, *, share: float = 0.4, jobs: int = 1) -> list[str]:
    return draw_splits([source], make_options(split=f"val={share}", jobs=jobs))


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    names = [f"{number}.png" for number in range(40)]
    for number, name in enumerate(names):
        write_png(tmp_path / name, (number, 2 * number, 99))
    return names


def test_no_picture_is_on_both_sides(tmp_path: Path, pictures: list[str]) -> None:
    rng = random.Random(1)
    rows = [rng.sample(pictures, rng.choice((1, 1, 1, 2))) for _ in range(60)]
    splits = draw(write_rows(tmp_path / "rows.jsonl", [image_row(*names) for names in rows]))
    placed = [(names, split) for names, split in zip(rows, splits, strict=True) if split != "train+val"]
    sides = {name: {split for names, split in placed if name in names} for name in pictures}
    assert all(len(found) < 2 for found in sides.values())
    assert set(splits) == {"train", "val", "train+val"}


def test_rows_that_share_pictures_through_others_stay_together(tmp_path: Path, pictures: list[str]) -> None:
    chain = [image_row(*pair) for pair in pairwise(pictures)]
    for share in (0.1, 0.5, 0.9):
        assert len(set(draw(write_rows(tmp_path / "rows.jsonl", chain), share=share))) == 1


def test_a_copy_under_another_name_is_the_same_picture(tmp_path: Path, pictures: list[str]) -> None:
    for name in pictures:
        shutil.copy(tmp_path / name, tmp_path / f"copy-{name}")
    rows = [image_row(name) for name in pictures] + [image_row(f"copy-{name}") for name in pictures]
    splits = draw(write_rows(tmp_path / "rows.jsonl", rows))
    assert splits[:40] == splits[40:]


def test_order_and_workers_do_not_matter(tmp_path: Path, pictures: list[str]) -> None:
    rows = [image_row(name) for name in pictures] + [text_row(number) for number in range(10)]
    splits = draw(write_rows(tmp_path / "rows.jsonl", rows))
    assert draw(write_rows(tmp_path / "rows.jsonl", rows), jobs=2) == splits
    assert draw(write_rows(tmp_path / "rows.jsonl", rows[::-1])) == splits[::-1]


def test_every_row_has_a_split_even_a_broken_one(tmp_path: Path) -> None:
    rows = ["{no json", image_row("missing.png"), {"query": 5}, text_row(1)]
    assert len(draw(write_rows(tmp_path / "rows.jsonl", rows))) == 4


def photo(seed: int) -> Image.Image:
    """A picture with structure, unlike those of other seeds."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC)


def test_a_picture_saved_again_or_resized_stays_in_its_split(tmp_path: Path) -> None:
    for number in range(16):
        picture = photo(number)
        picture.save(tmp_path / f"{number}.jpg", quality=92)
        picture.save(tmp_path / f"low{number}.jpg", quality=30)
        picture.resize((200, 150)).save(tmp_path / f"small{number}.png")
    names = ["{}.jpg", "low{}.jpg", "small{}.png"]
    rows = [image_row(name.format(number)) for name in names for number in range(16)]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    splits = draw(source)
    assert splits[:16] == splits[16:32] == splits[32:]
    assert {"train", "val"} == set(splits)
    by_bytes = draw_splits([source], make_options(split="val=0.4", split_by="bytes"))
    assert by_bytes[:16] != by_bytes[16:32]


def test_frames_that_are_named_for_one_video_stay_together(tmp_path: Path) -> None:
    rows = []
    for number in range(12):
        write_png(tmp_path / "clip" / f"frame_{number:03}.png", (20 * number, 9, 9))
        rows.append(image_row(f"clip/frame_{number:03}.png"))
    assert len(set(draw(write_rows(tmp_path / "rows.jsonl", rows)))) == 1


def test_a_declared_split_counts_and_draws_its_pictures(tmp_path: Path, pictures: list[str]) -> None:
    rows = [image_row(name) | ({"split": "test"} if "2" in name else {}) for name in pictures]
    rows += [image_row(name) for name in pictures]
    splits = draw(write_rows(tmp_path / "rows.jsonl", rows))
    assert splits[:40] == splits[40:]
    assert [split == "test" for split in splits[:40]] == ["2" in name for name in pictures]


def test_pictures_of_val_files_are_val_for_all_rows(tmp_path: Path, pictures: list[str]) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [image_row(name) for name in pictures])
    val = write_rows(tmp_path / "val.jsonl", [image_row(name, query="And?") for name in pictures[:20]])
    splits = draw_splits([source], make_options(split="test=0.5"), val_paths=[val])
    assert splits[:20] == ["val"] * 20
    assert set(splits[20:]) == {"train", "test"}


def test_videos_are_told_apart_by_content(tmp_path: Path) -> None:
    shutil.copy(GOLDENS / "videos" / "v8.mp4", tmp_path / "a.mp4")
    shutil.copy(GOLDENS / "videos" / "v8.mp4", tmp_path / "b.mp4")
    rows = [{"query": "q", "response": "r", "videos": [name]} for name in ("a.mp4", "b.mp4")]
    for share in (0.2, 0.5, 0.8):
        assert len(set(draw(write_rows(tmp_path / "rows.jsonl", rows), share=share))) == 1


def test_rows_of_earlier_shards_keep_their_split_whatever_was_edited(tmp_path: Path, pictures: list[str]) -> None:
    rng = random.Random(4)
    rows = [image_row(*rng.sample(pictures, rng.choice((1, 1, 2))), query=str(number)) for number in range(60)]
    options = make_options(split="val=0.4", on_bad="skip", max_bad_ratio=1.0)
    convert([write_rows(tmp_path / "a.jsonl", rows)], tmp_path / "out", options)
    splits = {row["query"]: split for row, split in zip(rows, ledger_splits(tmp_path / "out"), strict=True)}
    new = [image_row(*rng.sample(pictures, rng.choice((1, 2))), query=f"new {number}") for number in range(30)]
    edited = [row for row in rows if rng.random() < 0.8] + new
    rng.shuffle(edited)
    source = write_rows(tmp_path / "b.jsonl", edited)
    again = draw_splits([source], make_options(split="val=0.4", split_like=tmp_path / "out"))
    assert draw_splits([source], make_options(split="val=0.4")) != again
    before = {query: split for query, split in splits.items() if split}
    assert all(split == before.get(row["query"], split) for row, split in zip(edited, again, strict=True))
    placed = [(row, split) for row, split in zip(edited, again, strict=True) if split != "train+val"]
    sides = {name: {split for row, split in placed if name in row["images"]} for name in pictures}
    assert all(len(found) < 2 for found in sides.values())


def ledger_splits(folder: Path) -> list[str]:
    return [row["split"] for row in read_ledger(folder)]


def test_the_command_line_draws_several_splits(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path, pictures: list[str]
) -> None:
    rows = [image_row(name) for name in pictures] + [image_row(*pictures)]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    arguments = ["convert", source, "--for", "internvl2-1b", "--model", TOKENIZER, "--max-length", 20_000]
    arguments += ["--split", "val=0.3", "--split", "test=0.3"]
    code, _, said = call(*arguments, "--out", tmp_path / "no")
    assert code == 1
    assert "row-bridges-splits" in said
    out = tmp_path / "out"
    assert call(*arguments, "--split-by", "bytes", "--on-bad", "skip", "--out", out)[0] == 0
    assert set(ledger_splits(out)) == {"train", "val", "test", ""}
    assert call(*arguments, "--split-like", out, "--on-bad", "skip", "--out", tmp_path / "again")[0] == 0
    assert ledger_splits(tmp_path / "again") == ledger_splits(out)
