"""Plan packs: put whole samples together so that each pack nearly fills a token budget; integers only.

Lengths -> order shuffled by a hash of (seed, epoch, row) -> windows of that order -> best-fit decreasing inside each
window -> packs in shuffled order. The plan is a pure function of the arguments: it does not depend on the machine,
on library versions, or on how many ranks and workers share the packs out. A window is large enough for packs to be
nearly full, and small enough for a pack to be a random draw. Costs O(n log n) time and no pixels.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataprep.errors import ConfigError

WINDOW_ROWS = 4096
"""Samples that are packed together; the last packs of a window are the ones that stay part empty."""

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
    packs: list[Integers] = []
    for start in range(0, len(order), WINDOW_ROWS):
        window = order[start : start + WINDOW_ROWS]
        if limits_tiles:
            numbers = _fit_tokens_and_tiles(tokens[window], num_tiles[window], capacity, most_tiles)
        else:
            numbers = _fit_tokens(tokens[window], capacity)
        packs += _group(window, numbers)
    return [packs[i] for i in shuffled(len(packs), seed=seed, epoch=epoch)]


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
    return np.argsort(ranks, kind="stable").astype(np.int64)


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
    """Number the packs of a window: the longest sample first, each into the fullest pack that takes it."""
    pack_of = np.empty(len(tokens), dtype=np.int64)
    num_packs = 0
    # Packs with room as (free tokens << 32 | pack number), ascending, so that a search finds the best fit.
    open_packs: list[int] = []
    longest_first = np.argsort(-tokens, kind="stable")
    for row, needed in zip(longest_first.tolist(), tokens[longest_first].tolist(), strict=True):
        place = bisect_left(open_packs, needed << 32)
        if place == len(open_packs):
            number, free = num_packs, capacity
            num_packs += 1
        else:
            key = open_packs.pop(place)
            number, free = key & 0xFFFFFFFF, key >> 32
        pack_of[row] = number
        if free > needed:
            insort(open_packs, (free - needed) << 32 | number)
    return pack_of


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


def _group(rows: Integers, pack_of: Integers) -> list[Integers]:
    by_pack = rows[np.argsort(pack_of, kind="stable")]
    ends = np.cumsum(np.bincount(pack_of)).tolist()
    return [by_pack[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
