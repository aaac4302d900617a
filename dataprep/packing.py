"""Plan packs: put whole samples together so that each pack nearly fills a token budget; integers only.

Lengths -> order shuffled by a hash of (seed, epoch, row) -> best-fit decreasing, samples of one length in that order
-> packs in shuffled order. The plan is a pure function of the arguments: it does not depend on the machine, on library
versions, or on how many ranks and workers share the packs out. Which of many samples of one length a pack gets is a
random draw, so that every epoch has other packs. No pixels are read.

Samples of one length are placed together, a step for each run of packs that have the same room: a million samples take
tens of thousands of steps, not a million. With a second budget, tiles, there are no such runs: samples are then placed
one by one, inside windows of the shuffled order.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataprep.errors import ConfigError

WINDOW_ROWS = 4096
"""Samples that are packed together under two budgets; the last packs of a window are the ones that stay part empty."""

_MULTIPLY_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_2 = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

Integers = NDArray[np.int64]


def pack(
    lengths: ArrayLike,
    *,
    capacity: int,
    tiles: ArrayLike | None = None,
    tile_capacity: int | None = None,
    seed: int,
    epoch: int,
    oversize: Literal["error", "alone"] = "error",
) -> list[Integers]:
    """Distribute samples over packs.

    Args:
        lengths: Tokens of each sample, at least 1.
        capacity: Most tokens of a pack.
        tiles: Tiles of each sample; needed with ``tile_capacity``.
        tile_capacity: Most tiles of a pack; None for no limit.
        seed: Chooses the shuffle; 0..2**63-1.
        epoch: Chooses the shuffle too, so that every epoch has other packs; 0..2**63-1.
        oversize: What to do with a sample above a capacity: refuse, or give it a pack of its own.

    Returns:
        Packs in the order to train on, each an int64 array of row numbers; every row stands in exactly one.

    Raises:
        ConfigError: When a sample is above a capacity and ``oversize`` is ``error``, or an argument is out of range.

    Source:
        Best-fit decreasing as in Johnson, Demers, Ullman, Garey and Graham, "Worst-case performance bounds for
        simple one-dimensional packing algorithms", SIAM J. Comput. 3(4), 1974.
    """
    tokens = np.asarray(lengths, dtype=np.int64)
    if tile_capacity is not None and tiles is None:
        raise ConfigError("tile_capacity needs the tiles of each sample; pass tiles=shards.column('tiles')")
    limits_tiles = tile_capacity is not None
    num_tiles = np.asarray(tiles, dtype=np.int64) if limits_tiles else np.zeros_like(tokens)
    most_tiles = tile_capacity if tile_capacity is not None else 1
    _check_arguments(tokens, num_tiles, capacity, most_tiles)
    over = (tokens > capacity) | (num_tiles > most_tiles)
    if over.any() and oversize == "error":
        raise ConfigError(_oversize_message(over, tokens, num_tiles, capacity, tile_capacity))
    # A sample of exactly the capacity leaves no room for another one: that is a pack of its own.
    tokens = np.where(over, capacity, tokens)
    num_tiles = np.minimum(num_tiles, most_tiles)
    order = shuffled(len(tokens), seed=seed, epoch=epoch)
    if limits_tiles:
        pack_of = _fit_windows(tokens[order], num_tiles[order], capacity, most_tiles)
    else:
        pack_of = _fit_tokens(tokens[order], capacity)
    return _group(order, pack_of, seed=seed, epoch=epoch)


def pack_efficiency(packs: Sequence[Integers], lengths: ArrayLike, *, capacity: int) -> float:
    """Return the share of the packs' token capacity that holds tokens: 1.0 when all are full, 0.0 without packs."""
    if not packs:
        return 0.0
    tokens = np.asarray(lengths, dtype=np.int64)
    return int(sum(int(tokens[rows].sum()) for rows in packs)) / (len(packs) * capacity)


def shuffled(count: int, *, seed: int, epoch: int) -> Integers:
    """Return 0..count-1 in an order that depends on ``seed`` and ``epoch`` alone, on every machine alike.

    Raises:
        ConfigError: When ``seed`` or ``epoch`` is not in 0..2**63-1.
    """
    if not (0 <= seed < 2**63 and 0 <= epoch < 2**63):
        raise ConfigError(f"seed {seed} and epoch {epoch} must lie in 0..2**63-1; choose others")
    # The key is mixed in twice, so that epoch 1 of seed 0 and epoch 0 of seed 1 are unrelated.
    key = _mix(_mix(np.array([seed], dtype=np.uint64)) + np.array([epoch], dtype=np.uint64))
    ranks = _mix(np.arange(count, dtype=np.uint64) * _GOLDEN + key)
    return np.argsort(ranks).astype(np.int64)  # no two are equal: the mix is one to one


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit numbers, one to one.

    Source: the output function of SplitMix64 in Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014; products wrap at 2**64, as they should.
    """
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * _MULTIPLY_1
    values = (values ^ (values >> np.uint64(27))) * _MULTIPLY_2
    return values ^ (values >> np.uint64(31))


def _check_arguments(tokens: Integers, tiles: Integers, capacity: int, tile_capacity: int) -> None:
    if tokens.ndim != 1 or tokens.shape != tiles.shape:
        raise ConfigError(f"lengths have shape {tokens.shape} and tiles {tiles.shape}; pass one number per sample")
    if capacity < 1 or tile_capacity < 1:
        raise ConfigError(f"a pack of {capacity} tokens and {tile_capacity} tiles holds nothing; pass at least 1")
    if len(tokens) and (tokens.min() < 1 or tiles.min() < 0):
        raise ConfigError("a sample has no token or a negative number of tiles; run 'dataprep verify' on the shards")


def _oversize_message(
    over: NDArray[np.bool_], tokens: Integers, tiles: Integers, capacity: int, tile_capacity: int | None
) -> str:
    row = int(np.flatnonzero(over)[0])
    limit, found, needed = f"{capacity:,} tokens", f"{tokens[row]:,} tokens", f"{tokens.max():,} tokens"
    if tile_capacity is not None:
        limit += f" and {tile_capacity:,} tiles"
        found += f" and {tiles[row]:,} tiles"
        needed += f" and {tiles.max():,} tiles"
    return f"{over.sum():,} samples do not fit a pack of {limit}: row {row} has {found}; allow at least {needed}"


def _fit_tokens(tokens: Integers, capacity: int) -> Integers:
    """Number the packs: the longest sample first, each into the fullest pack that takes it."""
    longest_first = _longest_first(tokens, capacity)
    sorted_tokens = tokens[longest_first]
    firsts = np.flatnonzero(np.diff(sorted_tokens, prepend=0))
    counts = np.diff(firsts, append=len(tokens))
    runs = _Runs(capacity)
    for size, first, count in zip(sorted_tokens[firsts].tolist(), firsts.tolist(), counts.tolist(), strict=True):
        runs.place(size, first, count)
    pack_of = np.empty(len(tokens), dtype=np.int64)
    pack_of[longest_first] = runs.pack_of(len(tokens))
    return pack_of


def _longest_first(tokens: Integers, capacity: int) -> Integers:
    missing = capacity - tokens
    # numpy sorts numbers of 16 bits in linear time.
    return np.argsort(missing.astype(np.uint16) if capacity <= 0xFFFF else missing, kind="stable")


class _Runs:
    """Open packs as runs of neighbouring numbers that have the same room, by that room."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._num_packs = 0
        self._rooms: list[int] = []
        """The rooms that any run has, ascending, so that a search finds the best fit."""
        self._runs: dict[int, list[tuple[int, int]]] = {}
        """(first pack, packs) of the runs of each room, ascending."""
        self._steps: list[tuple[int, int, int]] = []
        """(first sample, first pack, samples of each pack): what each step has placed, in order."""

    def place(self, size: int, sample: int, count: int) -> None:
        """Place `count` samples of one size, the first of which is number `sample`.

        A pack that gets one is then the fullest that takes another, until it takes none: so it gets all it can.
        """
        while count:
            at = bisect_left(self._rooms, size)
            room = self._rooms[at] if at < len(self._rooms) else self._capacity
            each = min(room // size, count)
            most = count // each
            if at == len(self._rooms):
                first, packs = self._num_packs, most
                self._num_packs += packs
            else:
                first, packs = self._take(at, room, most)
            self._steps.append((sample, first, each))
            self._put(room - each * size, first, packs)
            sample += each * packs
            count -= each * packs

    def _take(self, at: int, room: int, most: int) -> tuple[int, int]:
        """Take away up to `most` packs of the first run with this room."""
        runs = self._runs[room]
        first, packs = runs[0]
        if packs > most:
            runs[0] = first + most, packs - most
            return first, most
        del runs[0]
        if not runs:
            del self._runs[room], self._rooms[at]
        return first, packs

    def _put(self, room: int, first: int, packs: int) -> None:
        if room == 0:
            return
        runs = self._runs.get(room)
        if runs is None:
            insort(self._rooms, room)
            self._runs[room] = [(first, packs)]
        else:
            insort(runs, (first, packs))

    def pack_of(self, num_samples: int) -> Integers:
        """Return the pack of each sample, in the order in which they were placed."""
        steps = np.array(self._steps, dtype=np.int64).reshape(-1, 3)
        placed = np.diff(steps[:, 0], append=num_samples)
        first_sample, first_pack, each = (np.repeat(column, placed) for column in steps.T)
        return first_pack + (np.arange(num_samples) - first_sample) // each


def _fit_windows(tokens: Integers, tiles: Integers, capacity: int, tile_capacity: int) -> Integers:
    """Number the packs under both budgets, a window of the samples at a time."""
    numbers, num_packs = [np.zeros(0, dtype=np.int64)], 0
    for start in range(0, len(tokens), WINDOW_ROWS):
        window = slice(start, start + WINDOW_ROWS)
        numbers.append(num_packs + _fit_tokens_and_tiles(tokens[window], tiles[window], capacity, tile_capacity))
        num_packs = int(numbers[-1].max()) + 1
    return np.concatenate(numbers)


def _fit_tokens_and_tiles(tokens: Integers, tiles: Integers, capacity: int, tile_capacity: int) -> Integers:
    """Number the packs of a window under both budgets, by the sum of the shares of each.

    Shares stay integers: tokens / capacity and tiles / tile_capacity times the product of both capacities.
    """
    token_share, tile_share = tokens * tile_capacity, tiles * capacity
    whole = capacity * tile_capacity
    pack_of = np.empty(len(tokens), dtype=np.int64)
    free_tokens = np.full(len(tokens), whole, dtype=np.int64)
    free_tiles = np.full(len(tokens), whole, dtype=np.int64)
    num_packs = 0
    hardest_first = np.argsort(-np.maximum(token_share, tile_share), kind="stable")
    for row in hardest_first.tolist():
        left_tokens = free_tokens[:num_packs] - token_share[row]
        left_tiles = free_tiles[:num_packs] - tile_share[row]
        left = np.where(np.minimum(left_tokens, left_tiles) < 0, 2 * whole, left_tokens + left_tiles)
        number = int(left.argmin()) if num_packs else 0
        if not num_packs or left[number] >= 2 * whole:
            number = num_packs
            num_packs += 1
        pack_of[row] = number
        free_tokens[number] -= token_share[row]
        free_tiles[number] -= tile_share[row]
    return pack_of


def _group(rows: Integers, pack_of: Integers, *, seed: int, epoch: int) -> list[Integers]:
    """Return the rows of each pack, packs in shuffled order."""
    num_packs = int(pack_of.max()) + 1 if len(pack_of) else 0
    place = np.empty(num_packs, dtype=np.int64)
    place[shuffled(num_packs, seed=seed, epoch=epoch)] = np.arange(num_packs)
    # One number holds pack and sample, because numbers sort faster than they are sorted by.
    keys = np.sort(place[pack_of] << 32 | np.arange(len(rows)))
    by_pack = rows[keys & 0xFFFFFFFF]
    ends = np.cumsum(np.bincount(keys >> 32, minlength=num_packs)).tolist()
    return [by_pack[start:end] for start, end in zip([0, *ends], ends, strict=False)]
