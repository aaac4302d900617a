"""Packs: every row once, budgets kept, nearly full, and the same plan everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.packing_jobs import best_fit_decreasing
from dataprep.errors import ConfigError
from dataprep.packing import WINDOW_ROWS, pack, pack_efficiency, shuffled

GOLDEN_PLAN = [[2, 3], [0], [5, 6], [1, 4]]
GOLDEN_ORDER = [0, 7, 2, 5, 4, 6, 3, 1]
LENGTHS = st.lists(st.integers(1, 100), max_size=200)


def lognormal_lengths(count: int) -> tuple[np.ndarray, int]:
    """Lengths as training data have them, and a capacity of 8 times their mean."""
    lengths = np.exp(np.random.default_rng(0).normal(5.5, 0.9, count)).astype(np.int64) + 1
    capacity = int(8 * lengths.mean())
    return np.minimum(lengths, capacity), capacity


@given(LENGTHS, st.integers(0, 2**63 - 1), st.integers(0, 1000))
def test_every_row_stands_in_one_pack_and_no_pack_is_too_long(lengths: list[int], seed: int, epoch: int) -> None:
    packs = pack(lengths, capacity=100, seed=seed, epoch=epoch)
    assert sorted(row for rows in packs for row in rows.tolist()) == list(range(len(lengths)))
    assert all(sum(lengths[row] for row in rows) <= 100 for rows in packs)
    assert all(len(rows) for rows in packs)


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 10)), max_size=200))
def test_tiles_are_a_second_budget(samples: list[tuple[int, int]]) -> None:
    lengths, tiles = [pair[0] for pair in samples], [pair[1] for pair in samples]
    packs = pack(lengths, capacity=100, tiles=tiles, tile_capacity=10, seed=0, epoch=0)
    assert sorted(row for rows in packs for row in rows.tolist()) == list(range(len(samples)))
    for rows in packs:
        assert sum(lengths[row] for row in rows) <= 100
        assert sum(tiles[row] for row in rows) <= 10


@given(st.integers(1, 300), st.data())
def test_packs_are_those_of_the_textbook_s_best_fit_decreasing(capacity: int, data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, capacity), max_size=300))
    packs = pack(lengths, capacity=capacity, seed=3, epoch=1)
    assert len(packs) == best_fit_decreasing(np.array(lengths, dtype=np.int64), capacity)


@pytest.mark.parametrize("capacity", [4096, 100_000])
def test_many_samples_take_as_few_packs_as_best_fit_decreasing(capacity: int) -> None:
    lengths = np.minimum(lognormal_lengths(30_000)[0], capacity)
    packs = pack(lengths, capacity=capacity, seed=0, epoch=0)
    assert len(packs) == best_fit_decreasing(lengths, capacity)
    assert sorted(np.concatenate(packs).tolist()) == list(range(len(lengths)))
    assert max(int(lengths[rows].sum()) for rows in packs) <= capacity


def test_packs_of_lognormal_lengths_are_nearly_full() -> None:
    lengths, capacity = lognormal_lengths(10_000)
    packs = pack(lengths, capacity=capacity, seed=0, epoch=0)
    assert pack_efficiency(packs, lengths, capacity=capacity) >= 0.99


def test_packs_stay_nearly_full_when_tiles_are_limited_too() -> None:
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 14, 10_000)
    lengths = tiles * 256 + rng.integers(20, 600, 10_000)
    packs = pack(lengths, capacity=16384, tiles=tiles, tile_capacity=64, seed=0, epoch=0)
    tile_fill = tiles.sum() / (64 * len(packs))
    assert max(tile_fill, pack_efficiency(packs, lengths, capacity=16384)) >= 0.95


def test_the_plan_is_fixed_for_all_time() -> None:
    packs = pack([5, 9, 3, 7, 1, 2, 8], capacity=10, seed=1, epoch=2)
    assert [rows.tolist() for rows in packs] == GOLDEN_PLAN


def test_another_epoch_or_seed_gives_other_packs() -> None:
    lengths, capacity = lognormal_lengths(500)
    plans = [
        [rows.tolist() for rows in pack(lengths, capacity=capacity, seed=seed, epoch=epoch)]
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert plans[0] != plans[1] != plans[2] != plans[0]


def test_pack_order_does_not_follow_length() -> None:
    lengths, capacity = lognormal_lengths(3000)
    packs = pack(lengths, capacity=capacity, seed=0, epoch=0)
    longest = np.array([lengths[rows].max() for rows in packs])
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.2


def test_many_windows_lose_no_row() -> None:
    tiles = np.random.default_rng(0).integers(0, 14, WINDOW_ROWS + 17)
    lengths = tiles * 256 + 20
    packs = pack(lengths, capacity=16384, tiles=tiles, tile_capacity=64, seed=0, epoch=0)
    assert np.array_equal(np.sort(np.concatenate(packs)), np.arange(len(lengths)))


def test_an_oversize_sample_is_refused_with_the_capacity_that_it_needs() -> None:
    with pytest.raises(ConfigError, match=r"1 samples do not fit a pack of 10 tokens: row 1 has 1,200 tokens; allow"):
        pack([5, 1200], capacity=10, seed=0, epoch=0)
    with pytest.raises(ConfigError, match=r"10 tokens and 3 tiles: row 0 has 5 tokens and 4 tiles"):
        pack([5, 6], capacity=10, tiles=[4, 1], tile_capacity=3, seed=0, epoch=0)


@pytest.mark.parametrize("limits", [{}, {"tiles": [1, 9, 0, 9], "tile_capacity": 3}])
def test_an_oversize_sample_can_have_its_own_pack(limits: dict) -> None:
    packs = pack([5, 1200, 4, 1], capacity=10, seed=0, epoch=0, oversize="alone", **limits)
    alone = [rows.tolist() for rows in packs if len(rows) == 1]
    assert [1] in alone
    assert ([3] in alone) == bool(limits)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lengths": [1], "tile_capacity": 3}, "needs the tiles"),
        ({"lengths": [1, 2], "tiles": [1], "tile_capacity": 3}, "one number per sample"),
        ({"lengths": [0, 2]}, "has no token"),
        ({"lengths": [1], "capacity": 0}, "holds nothing"),
        ({"lengths": [1], "seed": -1}, "must lie in"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pack(**({"capacity": 10, "seed": 0, "epoch": 0} | arguments))


def test_no_samples_give_no_packs() -> None:
    assert pack([], capacity=10, seed=0, epoch=0) == []
    assert pack_efficiency([], [], capacity=10) == 0.0


def test_shuffle_is_a_permutation_fixed_for_all_time() -> None:
    assert shuffled(8, seed=0, epoch=0).tolist() == GOLDEN_ORDER
    assert sorted(shuffled(1000, seed=3, epoch=4).tolist()) == list(range(1000))
