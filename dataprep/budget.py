"""What a data set costs before any of it is converted: lengths, tiles, packs, and the size of its shards.

Everything follows from the tokens and tiles that lint has counted per row. Packs are planned by the very function that
training uses, for its first epoch; the size of the shards is an estimate, and says what it is made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.corpus import Corpus
from dataprep.findings import Location
from dataprep.packing import pack, pack_efficiency

_BINS = 12
_HEAVIEST_PACKS = 3
_ROWS_SHOWN = 8
_BYTES_PER_TOKEN = 8  # an id and a label
_BYTES_PER_TEXT_TOKEN = 4  # the prompt and response columns
_BYTES_PER_ROW = 200
_BYTES_PER_MEDIUM = 150
_PNG_BYTES_PER_PIXEL = 1.5  # of a frame of a filmed video

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bar of a histogram: values ``low`` to ``high``, both included, and the number of rows."""

    low: int
    high: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeavyPack:
    """One of the packs that need most memory.

    Attributes:
        tokens: Its tokens.
        tiles: Its tiles.
        num_rows: Its rows.
        rows: The first few of them, those with most tiles first.
    """

    tokens: int
    tiles: int
    num_rows: int
    rows: tuple[Location, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the rows that conversion would keep cost, those of validation files left out.

    Attributes:
        rows: Rows that have a length: they passed all other rules.
        too_long: Of these, rows above ``max_length``; they count in the histogram only.
        max_length: Most tokens of a sample.
        pack_length: Tokens of a pack.
        tokens: Tokens of the rows that fit.
        image_tokens: Of these, context tokens.
        tiles: Tiles of the rows that fit.
        longest: The longest row, whether it fits or not.
        longest_tokens: Its tokens.
        lengths: Histogram of tokens per row.
        tiles_per_row: Histogram of tiles per row.
        packs: Number of packs.
        above_pack: Rows longer than a pack, each counted as a pack of its own.
        pack_efficiency: Share of the packs' capacity that holds tokens, 0..1.
        heaviest: The packs with most tiles, then most tokens.
        shard_bytes_embed: Estimated size of the shards with the media in them.
        shard_bytes_link: Estimated size with links to the media.
    """

    rows: int
    too_long: int
    max_length: int
    pack_length: int
    tokens: int
    image_tokens: int
    tiles: int
    longest: Location
    longest_tokens: int
    lengths: tuple[Bin, ...]
    tiles_per_row: tuple[Bin, ...]
    packs: int
    above_pack: int
    pack_efficiency: float
    heaviest: tuple[HeavyPack, ...]
    shard_bytes_embed: int
    shard_bytes_link: int


def plan_budget(corpus: Corpus, *, max_length: int, pack_length: int | None = None) -> Budget | None:
    """Return the budget of a data set; None if no row has a length.

    Args:
        corpus: The facts of all rows.
        max_length: Most tokens of a sample.
        pack_length: Tokens of a pack; None for ``max_length``.
    """
    paths = [path for path in corpus.paths if path not in corpus.val_paths and path in corpus.files]
    columns = [corpus.files[path].lengths for path in paths]

    def join(name: str) -> Integers:
        return np.concatenate([np.array(getattr(c, name), dtype=np.int64) for c in columns])

    if not any(c.lines for c in columns):
        return None
    tokens, image_tokens, tiles, lines = (join(name) for name in ("tokens", "image_tokens", "tiles", "lines"))
    files = np.repeat(np.arange(len(paths)), [len(c.lines) for c in columns])
    fits = tokens <= max_length
    capacity = pack_length or max_length
    packs = pack(np.maximum(tokens[fits], 1), capacity=capacity, seed=0, epoch=0, oversize="alone")
    kept = np.flatnonzero(fits)

    def place(row: int) -> Location:
        return Location(paths[int(files[row])], int(lines[row]))

    in_packs = np.minimum(tokens, capacity)
    link, media = _shard_bytes(tokens[fits], image_tokens[fits], join("media"), int(join("frames")[fits].sum()))
    longest = int(tokens.argmax())
    return Budget(
        rows=len(tokens),
        too_long=int((~fits).sum()),
        max_length=max_length,
        pack_length=capacity,
        tokens=int(tokens[fits].sum()),
        image_tokens=int(image_tokens[fits].sum()),
        tiles=int(tiles[fits].sum()),
        longest=place(longest),
        longest_tokens=int(tokens[longest]),
        lengths=_histogram(tokens),
        tiles_per_row=_histogram(tiles),
        packs=len(packs),
        above_pack=int((tokens[fits] > capacity).sum()),
        pack_efficiency=pack_efficiency(packs, in_packs[fits], capacity=capacity),
        heaviest=tuple(
            HeavyPack(
                tokens=int(tokens[rows].sum()),
                tiles=int(tiles[rows].sum()),
                num_rows=len(rows),
                rows=tuple(place(row) for row in rows[np.argsort(-tiles[rows], kind="stable")][:_ROWS_SHOWN].tolist()),
            )
            for rows in _heaviest([kept[rows] for rows in packs], tokens, tiles)
        ),
        shard_bytes_embed=link + media,
        shard_bytes_link=link,
    )


def _heaviest(packs: list[Integers], tokens: Integers, tiles: Integers) -> list[Integers]:
    if not packs:
        return []
    weights = [(-int(tiles[rows].sum()), -int(tokens[rows].sum()), number) for number, rows in enumerate(packs)]
    return [packs[number] for *_, number in sorted(weights)[:_HEAVIEST_PACKS]]


def _histogram(values: Integers) -> tuple[Bin, ...]:
    """Return at most 12 bins of equal, round width from 0 to the largest value."""
    largest = int(values.max())
    width = _round_up(max(1, -(-(largest + 1) // _BINS)))
    counts = np.bincount(values // width)
    return tuple(Bin(low=i * width, high=(i + 1) * width - 1, rows=int(count)) for i, count in enumerate(counts))


def _round_up(width: int) -> int:
    """Return the next of 1, 2, 5, 10, 20, 50, ..."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= width:
                return step * power
        power *= 10


def _shard_bytes(tokens: Integers, image_tokens: Integers, media: Integers, frame_pixels: int) -> tuple[int, int]:
    """Return the estimated bytes of shards that link to image files, and of the image files themselves."""
    keys, firsts = np.unique(media[::2], return_index=True)
    sizes = media[1::2][firsts]
    text_tokens = int(tokens.sum() - image_tokens.sum())
    samples = _BYTES_PER_TOKEN * int(tokens.sum()) + _BYTES_PER_TEXT_TOKEN * text_tokens + _BYTES_PER_ROW * len(tokens)
    # Frames do not exist as files: they are stored in either case.
    frames = round(_PNG_BYTES_PER_PIXEL * frame_pixels)
    return samples + frames + _BYTES_PER_MEDIUM * len(keys), int(sizes.sum())


def budget_object(budget: Budget) -> dict[str, Any]:
    """Return a budget as JSON-ready values."""
    from dataclasses import asdict

    return asdict(budget)
