"""Rows that repeat an earlier one are left out, wherever they stand, and name the row that stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep import convert, ledger, open_shards, verify
from dataprep.shards.stories import why
from tests.dataprep.conversions import (
    encode_png,
    image_row,
    make_options,
    read_outcomes,
    text_row,
    write_png,
    write_rows,
)

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")

SKIP = {"on_bad": "skip", "max_bad_ratio": 1.0}


def write_repeated(folder: Path) -> list[str]:
    """Write two data files with rows that repeat one another, in one folder and across folders."""
    write_png(folder / "a.png", (1, 2, 3))
    write_png(folder / "b.png", (1, 2, 3))
    write_png(folder / "sub" / "a.png", (7, 7, 7))
    shuffled = dict(reversed(list(text_row(1).items())))
    first = [text_row(1), text_row(2), image_row("a.png"), text_row(1), image_row("b.png"), image_row("gone.png")]
    first += [shuffled, text_row(1) | {"id": 7}, image_row("a.png"), image_row("gone.png")]
    second = [text_row(2), image_row("a.png"), image_row("a.png"), text_row(3)]
    paths = [write_rows(folder / "rows.jsonl", first), write_rows(folder / "sub" / "rows.jsonl", second)]
    (folder / "rows.jsonl").write_text(
        Path(paths[0]).read_text().replace('"query": "What is 2', '"query":  "What is 2')
    )
    return paths


def test_rows_that_repeat_an_earlier_one_are_left_out(tmp_path: Path) -> None:
    paths = write_repeated(tmp_path)
    manifest = convert(paths, tmp_path / "out", make_options(**SKIP, drop_duplicates=True))
    c, r, d = "converted", "rejected", "duplicate"
    assert read_outcomes(tmp_path / "out") == [c, c, c, d, c, r, d, c, d, r, d, c, d, c]
    assert (manifest.ledger.converted, manifest.ledger.duplicate, manifest.ledger.rejected) == (7, 5, 2)
    assert len(open_shards(tmp_path / "out")) == 7
    assert verify(tmp_path / "out").problems == ()
    assert ledger(tmp_path / "out").ok


def test_a_duplicate_names_the_row_that_it_repeats(tmp_path: Path) -> None:
    convert(write_repeated(tmp_path), tmp_path / "out", make_options(**SKIP, drop_duplicates=True))
    for place, kept in {
        "rows.jsonl:4": ("rows.jsonl", 1),
        "rows.jsonl:7": ("rows.jsonl", 1),
        "sub/rows.jsonl:1": ("rows.jsonl", 2),
        "sub/rows.jsonl:3": ("sub/rows.jsonl", 2),
    }.items():
        (story,) = why(tmp_path / "out", f"{tmp_path}/{place}")
        assert story.entry.outcome == "duplicate"
        assert story.kept is not None
        assert (story.kept.source_file, story.kept.source_line) == kept


def test_without_the_option_every_row_stays(tmp_path: Path) -> None:
    manifest = convert(write_repeated(tmp_path), tmp_path / "out", make_options(**SKIP))
    assert (manifest.ledger.converted, manifest.ledger.duplicate) == (12, 0)


def test_what_is_left_is_what_a_file_without_them_gives(tmp_path: Path) -> None:
    rows = [text_row(number % 7) for number in range(40)] + [image_row("a.png")] * 3
    write_png(tmp_path / "a.png", (1, 2, 3))
    twice = write_rows(tmp_path / "twice.jsonl", rows)
    once = write_rows(tmp_path / "once.jsonl", [text_row(number) for number in range(7)] + [image_row("a.png")])
    convert([twice], tmp_path / "a", make_options(drop_duplicates=True))
    convert([once], tmp_path / "b", make_options())
    a, b = open_shards(tmp_path / "a"), open_shards(tmp_path / "b")
    assert [sample.input_ids.tolist() for sample in a] == [sample.input_ids.tolist() for sample in b]
    assert a.manifest.splits["train"].tokens == b.manifest.splits["train"].tokens
    assert a.num_media == b.num_media == 1
    assert a.manifest.lengths == b.manifest.lengths


@pytest.mark.parametrize("media", ["embed", "link"])
def test_equal_rows_about_other_media_are_no_duplicates(tmp_path: Path, media: str) -> None:
    paths = []
    for name, colour in (("x", 1), ("y", 1), ("z", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(encode_png((colour, colour, colour)))
        paths.append(write_rows(tmp_path / name / "rows.jsonl", [image_row("a.png")]))
    convert(paths, tmp_path / "out", make_options(media=media, drop_duplicates=True))
    # Linked files are told apart by their paths: nobody has read what is in them.
    expected = ["converted", "duplicate", "converted"] if media == "embed" else ["converted"] * 3
    assert read_outcomes(tmp_path / "out") == expected


def test_a_split_may_lose_all_of_its_rows(tmp_path: Path) -> None:
    train = write_rows(tmp_path / "train.jsonl", [text_row(1), text_row(2)])
    val = write_rows(tmp_path / "val.jsonl", [text_row(2), text_row(1)])
    manifest = convert([train], tmp_path / "out", make_options(val=(val,), drop_duplicates=True))
    assert list(manifest.splits) == ["train"]
    assert manifest.ledger.duplicate == 2
    assert verify(tmp_path / "out").problems == ()
