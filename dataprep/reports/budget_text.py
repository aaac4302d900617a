"""The budget for people: histograms of block characters, packs, and the size of the shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataprep.budget import Bin, Budget, HeavyPack

_BAR_WIDTH = 40
_ROWS_SHOWN = 3
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def budget_lines(budget: Budget) -> Iterator[str]:
    """Yield the lines of the budget; file names in them are as in the data, to be made visible by the caller."""
    share = budget.image_tokens / budget.tokens if budget.tokens else 0.0
    kept = budget.rows - budget.too_long
    yield f"Budget of {kept:,} rows: {budget.tokens:,} tokens ({share:.0%} of images), {budget.tiles:,} tiles"
    yield ""
    yield f"tokens per row (longest: {budget.longest_tokens:,}, {budget.longest})"
    yield from histogram_lines(budget.lengths, limit=budget.max_length)
    if budget.too_long:
        yield (
            f"  {budget.too_long:,} of {budget.rows:,} rows are longer than {budget.max_length:,} tokens "
            "(--max-length) and would be rejected"
        )
    if budget.tiles:
        yield ""
        yield "tiles per row"
        yield from histogram_lines(budget.tiles_per_row)
    yield ""
    yield from _pack_lines(budget)
    yield ""
    yield (
        f"shards: about {_size(budget.shard_bytes_embed)} with the media in them, "
        f"about {_size(budget.shard_bytes_link)} with --media link"
    )


def histogram_lines(bins: Sequence[Bin], *, limit: int | None = None) -> Iterator[str]:
    """Yield one line per bar: range, bar, number of rows; a mark where the bins reach beyond ``limit``."""
    most = max(bar.rows for bar in bins)
    digits = len(f"{bins[-1].high:,}")
    count_digits = len(f"{most:,}")
    for bar in bins:
        label = f"{bar.low:,}" if bar.low == bar.high else f"{bar.low:>{digits},} - {bar.high:>{digits},}"
        mark = "  over --max-length" if limit is not None and bar.low > limit and bar.rows else ""
        text = _bar(bar.rows, most)
        yield f"  {label:>{2 * digits + 3}}  {bar.rows:>{count_digits},}  {text}{mark}".rstrip()


def _bar(value: int, most: int) -> str:
    eighths = max(round(8 * _BAR_WIDTH * value / most), 1) if value else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def _pack_lines(budget: Budget) -> Iterator[str]:
    yield (
        f"packs of {budget.pack_length:,} tokens: {budget.packs:,}, {budget.pack_efficiency:.1%} full, "
        f"{(budget.rows - budget.too_long) / budget.packs if budget.packs else 0:.1f} rows each"
    )
    if budget.above_pack:
        yield f"  {budget.above_pack:,} rows are longer than a pack: raise --pack-length, or lower --max-length"
    if budget.heaviest:
        yield "heaviest packs (most tiles first; the run needs memory for these)"
    for number, heavy in enumerate(budget.heaviest, start=1):
        yield f"  {number}. {_describe(heavy)}"


def _describe(heavy: HeavyPack) -> str:
    shown = heavy.rows[:_ROWS_SHOWN]
    more = heavy.num_rows - len(shown)
    rows = ", ".join(map(str, shown)) + (f" and {more:,} more" if more else "")
    return f"{heavy.tiles:,} tiles, {heavy.tokens:,} tokens, {heavy.num_rows:,} rows: {rows}"


def _size(count: int) -> str:
    value, unit = float(count), "bytes"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:,.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:,.1f} {unit}"
