"""Tiling: the reference's float arithmetic as an oracle, the boundaries it documents, real images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.tiling import choose_grid


def reference_grid(width: int, height: int, *, max_num: int, tile_size: int) -> tuple[int, int]:
    """Write the documented float64 rule down a second time, independently."""
    ratios = {
        (i, j) for n in range(1, max_num + 1) for i in range(1, n + 1) for j in range(1, n + 1) if 1 <= i * j <= max_num
    }
    best, best_difference = (1, 1), float("inf")
    for ratio in sorted(ratios, key=lambda r: r[0] * r[1]):
        difference = abs(width / height - ratio[0] / ratio[1])
        if difference < best_difference:
            best, best_difference = ratio, difference
        elif difference == best_difference and width * height > 0.5 * tile_size**2 * ratio[0] * ratio[1]:
            best = ratio
    return best


@given(
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.sampled_from([1, 2, 4, 6, 12, 24, 40]),
    st.sampled_from([56, 448]),
)
def test_equals_the_float_rule(width: int, height: int, max_num: int, tile_size: int) -> None:
    grid = choose_grid(width, height, max_num=max_num, tile_size_px=tile_size)
    assert (grid.columns, grid.rows) == reference_grid(width, height, max_num=max_num, tile_size=tile_size)
    count = grid.columns * grid.rows
    assert grid.tiles == (1 if count == 1 else count + 1)


@pytest.mark.parametrize(
    ("size", "max_num", "expected"),
    [
        ((633, 633), 12, (1, 1, 1)),
        ((634, 634), 12, (2, 2, 5)),
        ((1266, 633), 12, (2, 1, 3)),
        ((1268, 634), 12, (4, 2, 9)),
        ((640, 480), 12, (4, 3, 13)),
        ((640, 480), 6, (3, 2, 7)),
        ((32, 24), 12, (4, 3, 13)),
        ((320, 180), 4, (2, 1, 3)),
    ],
)
def test_documented_boundaries(size: tuple[int, int], max_num: int, expected: tuple[int, int, int]) -> None:
    grid = choose_grid(*size, max_num=max_num, tile_size_px=448)
    assert (grid.columns, grid.rows, grid.tiles) == expected


def test_no_tiles_for_an_empty_image() -> None:
    with pytest.raises(ValueError, match="0x5"):
        choose_grid(0, 5, max_num=12, tile_size_px=448)


def test_real_images(real_rows: Path) -> None:
    table = json.loads((real_rows / "EXPECTED_tiles.json").read_text(encoding="utf-8"))["tiles"]
    for entry in table:
        for max_num in (1, 6, 12):
            grid = choose_grid(*entry["size"], max_num=max_num, tile_size_px=448)
            assert grid.tiles == entry[f"max_num={max_num},thumbnail=True"], entry["file"]
            assert grid.columns * grid.rows == entry[f"max_num={max_num},thumbnail=False"], entry["file"]
    assert len(table) > 100
