"""Which rows are drawn depends on the rows alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dataprep.sampling import draw_rows
from tests.dataprep.conversions import text_row, write_rows


def texts(paths: list[str], size: int) -> set[bytes]:
    return {row.text for row in draw_rows(paths, size).rows}


def test_the_same_rows_are_drawn_whatever_their_order_and_files(tmp_path: Path) -> None:
    rows = [text_row(number) for number in range(200)]
    one = write_rows(tmp_path / "one.jsonl", rows)
    random.Random(3).shuffle(rows)
    two = [write_rows(tmp_path / "a.jsonl", rows[:70]), write_rows(tmp_path / "b.jsonl", rows[70:])]
    assert texts([one], 20) == texts(two, 20)
    assert len(texts([one], 20)) == 20
    assert texts([one], 10) < texts([one], 20)


def test_rows_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    paths = [write_rows(tmp_path / f"{n}.jsonl", [text_row(10 * n + k) for k in range(10)]) for n in range(3)]
    drawn = draw_rows(paths, 12)
    places = [(paths.index(row.location.path), row.location.line) for row in drawn.rows]
    assert places == sorted(places)
    assert (len(places), drawn.num_rows) == (12, 30)
    cut = list(drawn.cut_by_file())
    assert [row for rows in cut for row in rows] == drawn.rows
    assert [len({row.location.path for row in rows}) for rows in cut] == [1] * len(cut)


@pytest.mark.parametrize("size", [1, 5, 50])
def test_no_more_rows_than_there_are(tmp_path: Path, size: int) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [text_row(1)] * 5)
    drawn = draw_rows([path], size)
    assert [row.location.line for row in drawn.rows] == list(range(1, 1 + min(size, 5)))
    assert drawn.num_rows == 5


def test_drawn_rows_are_spread_over_the_file(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(1000)])
    lines = [row.location.line for row in draw_rows([path], 100).rows]
    assert 25 < sum(line <= 500 for line in lines) < 75
