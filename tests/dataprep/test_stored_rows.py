"""Rows checked without their media: the facts come from the shards, in the order of the row."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep import convert, open_shards
from dataprep.errors import ShardError
from dataprep.media.video import choose_frames
from dataprep.rules.runner import FOR_CONVERSION, CheckerRecipe
from dataprep.shards.samples import Sample, SampleImage
from dataprep.sources import RawRow, read_rows
from dataprep.stored_rows import StoredRowChecker, _video_of, add_media_findings
from tests.dataprep.conversions import image_row, make_options, text_row, write_png, write_rows


def prepare(folder: Path) -> tuple[StoredRowChecker, list[RawRow], list[Sample]]:
    """Convert rows with no, one and two images, two of them turned, and take the images away."""
    for number in range(3):
        write_png(folder / f"{number}.png", (number, 2, 3), (20 + number, 40))
    rows = [text_row(1), image_row("0.png", "1.png"), image_row("2.png"), image_row("2.png", "2.png")]
    source = write_rows(folder / "rows.jsonl", rows)
    convert([source], folder / "shards", make_options())
    for path in folder.glob("*.png"):
        path.unlink()
    shards = open_shards(folder / "shards")
    checkers = CheckerRecipe(make_options(no_cache=True), FOR_CONVERSION)()
    return StoredRowChecker(shards, checkers), list(read_rows(source)), list(shards)


def test_sizes_come_from_the_shards(tmp_path: Path) -> None:
    checker, raws, samples = prepare(tmp_path)
    checked = checker.check(raws, samples)
    assert [[image.width for image in row.layout.images] for row in checked if row.layout] == [
        [],
        [20, 21],
        [22],
        [22] * 2,
    ]
    assert [row.num_tokens for row in checked] == [len(sample.input_ids) for sample in samples]
    assert checker.check([], []) == []


@pytest.mark.parametrize("wanted", [1, 3])
def test_a_row_that_names_other_media_is_an_error(tmp_path: Path, wanted: int) -> None:
    checker, raws, samples = prepare(tmp_path)
    images = (samples[1].images * 2)[:wanted]
    with pytest.raises(ShardError, match=r"rows\.jsonl:2: the row names other media than its sample has"):
        checker.check(raws[1:2], [replace(samples[1], images=images)])


def test_findings_of_media_are_taken_over_in_order(tmp_path: Path) -> None:
    checker, raws, samples = prepare(tmp_path)
    (row,) = checker.check(raws[2:3], samples[2:3])
    assert [finding.code for finding in row.findings] == ["L604"]
    add_media_findings(row, ("M311", "L604", "T202"))
    assert [finding.code for finding in row.findings] == ["M311", "L604"]
    assert not row.has_errors


@given(num_frames=st.integers(1, 5000), count=st.integers(1, 16))
def test_a_video_is_found_for_which_the_same_frames_are_chosen(num_frames: int, count: int) -> None:
    indices = choose_frames(num_frames, num_segments=count)
    header = _video_of([SampleImage(0, 8, 6, 1, 1, 1, "frame", 0, index) for index in indices])
    assert choose_frames(header.num_frames, num_segments=count) == indices
    assert (header.width, header.height) == (8, 6)


def test_frames_that_no_video_gives_are_an_error() -> None:
    frames = [SampleImage(0, 8, 6, 1, 1, 1, "frame", 0, index) for index in (9, 3)]
    with pytest.raises(ShardError, match=re.escape("no video has the chosen frames [9, 3]")):
        _video_of(frames)
