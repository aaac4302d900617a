"""Compare two shard directories, or two data files, row by row: added, removed, changed, and what that does to totals.

Rows are the same where their hashes are: their content, whatever their order, spelling and place. What is left over on
both sides is paired by file and line, then by the last common row before it, so that an inserted row does not turn all
rows behind it into changes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dataprep.tables import RowTable, read_table
from dataprep.token_counts import with_tokens

if TYPE_CHECKING:
    import polars as pl

    from dataprep.config import RowConfig
    from dataprep.shards.manifest import Manifest

_SETTINGS = (
    "model_type", "template", "tile_size_px", "tokens_per_tile", "max_num", "max_length", "truncation", "box_style",
    "exif", "media_mode", "loss_mask", "system", "video_frames", "special_text", "missing_image_tag",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Totals:
    """Rows, samples, tokens and trained tokens of one side; None where it does not say."""

    rows: int
    samples: int | None
    tokens: int | None
    trained_tokens: int | None


@dataclass(frozen=True, slots=True)
class Diff:
    """What distinguishes two sides.

    Attributes:
        totals: Of A and of B.
        num_same: Rows that both have.
        added: Rows of B alone: ``file``, ``line``, ``tokens``.
        removed: Rows of A alone, likewise.
        changed: Pairs of rows that stand for one another: the same columns, and those of B with ``_b``.
        moved: Rows that both have with another outcome or split: ``file``, ``line``, ``outcome``, ``split``, and with
            ``_b``.
        encoded: Rows that both have with other numbers of tokens: ``file``, ``line``, ``tokens``, ``trained``, and
            with ``_b``.
        captions: For each caption whose number of objects differs, the numbers in A and in B.
        settings: For each setting of the conversions that differs, what A and B say.
    """

    totals: tuple[Totals, Totals]
    num_same: int
    added: pl.DataFrame
    removed: pl.DataFrame
    changed: pl.DataFrame
    moved: pl.DataFrame
    encoded: pl.DataFrame
    captions: dict[str, tuple[int, int]]
    settings: dict[str, tuple[Any, Any]]

    @property
    def is_empty(self) -> bool:
        """Whether both sides have the same rows, made alike."""
        tables = (self.added, self.removed, self.changed, self.moved, self.encoded)
        return not self.settings and not any(len(table) for table in tables)


def diff(a: str, b: str, config: RowConfig | None = None, *, jobs: int = 1) -> Diff:
    """Compare two shard directories, two data files or two folders of them, or shards with the data behind them.

    Args:
        a: The older side.
        b: The newer side.
        config: Model type and folder to count the tokens of data files with; None counts none.
        jobs: Number of worker processes that count.

    Returns:
        The differences.

    Raises:
        DataprepError: If a side cannot be read.
    """
    left, right = (_read(side, config, jobs) for side in (a, b))
    rows_a, rows_b = _prepare(left, right)
    pairs = rows_a.join(rows_b, on=["hash", "copy"], how="inner", suffix="_b", maintain_order="left")
    only_a = _with_anchor(rows_a, pairs, "number")
    only_b = _with_anchor(rows_b, pairs, "number_b")
    changed, only_a, only_b = _pair_up(only_a, only_b)
    return Diff(
        totals=(_totals(left), _totals(right)),
        num_same=len(pairs),
        added=only_b.select("file", "line", "tokens"),
        removed=only_a.select("file", "line", "tokens"),
        changed=changed,
        moved=_differing(pairs, "outcome", "split"),
        encoded=_differing(pairs, "tokens", "trained"),
        captions=_caption_changes(left.captions, right.captions),
        settings=_setting_changes(left.manifest, right.manifest),
    )


def _read(side: str, config: RowConfig | None, jobs: int) -> RowTable:
    table = read_table(side)
    return table if config is None or table.manifest is not None else with_tokens(table, config, jobs=jobs)


def _prepare(left: RowTable, right: RowTable) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number the rows, tell equal rows of one side apart, and let two single files be the same file."""
    import polars as pl

    single = all(table.rows["file"].n_unique() <= 1 for table in (left, right))
    file = pl.lit("") if single else pl.col("file")
    prepared = [
        table.rows.with_row_index("number").with_columns(
            pl.col("number").cast(pl.Int64),
            pl.int_range(pl.len()).over("hash").alias("copy"),
            file.alias("same_file"),
        )
        for table in (left, right)
    ]
    return prepared[0], prepared[1]


def _with_anchor(rows: pl.DataFrame, pairs: pl.DataFrame, number: str) -> pl.DataFrame:
    """Return the rows without a pair, with the last common row before them and their place behind it."""
    import polars as pl

    # The number in A names a pair on both sides.
    common = pairs.select(pl.col(number).alias("number"), pl.col("number").alias("anchor"))
    anchored = rows.join(common, on="number", how="left", maintain_order="left").with_columns(
        pl.col("anchor").is_null().alias("alone"), pl.col("anchor").forward_fill().fill_null(-1)
    )
    alone = anchored.filter("alone")
    return alone.with_columns(pl.int_range(pl.len()).over("anchor").alias("place"))


def _pair_up(only_a: pl.DataFrame, only_b: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    import polars as pl

    found = []
    for keys in (["same_file", "line"], ["anchor", "place"]):
        # Several rows of an array may begin on one line; the first of each stand for one another.
        first_a, first_b = (side.unique(keys, keep="first", maintain_order=True) for side in (only_a, only_b))
        pairs = first_a.join(first_b, on=keys, how="inner", suffix="_b", coalesce=False, maintain_order="left")
        found.append(pairs)
        only_a = only_a.join(pairs.select("number"), on="number", how="anti", maintain_order="left")
        taken = pairs.select(pl.col("number_b").alias("number"))
        only_b = only_b.join(taken, on="number", how="anti", maintain_order="left")
    columns = ["file", "line", "tokens", "file_b", "line_b", "tokens_b"]
    changed = pl.concat([pairs.select("number", *columns) for pairs in found]).sort("number").select(columns)
    return changed, only_a, only_b


def _differing(pairs: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Return the common rows that differ in a column which both sides know."""
    import polars as pl

    known = [name for name in names if pairs[name].count() and pairs[f"{name}_b"].count()]
    differ = [pl.col(name).ne_missing(pl.col(f"{name}_b")) for name in known]
    columns = ["file", "line", *names, *(f"{name}_b" for name in names)]
    return pairs.filter(pl.any_horizontal(differ) if differ else pl.lit(False)).select(columns)


def _totals(table: RowTable) -> Totals:
    rows = table.rows
    num_known = rows["tokens"].count()
    if table.manifest is None and not num_known:
        return Totals(len(rows), None, None, None)
    return Totals(len(rows), num_known, int(rows["tokens"].sum()), int(rows["trained"].sum()))


def _caption_changes(a: Counter[str], b: Counter[str]) -> dict[str, tuple[int, int]]:
    """Return the numbers that differ, the largest change first."""
    names = sorted((name for name in a.keys() | b.keys() if a[name] != b[name]), key=lambda n: (-abs(a[n] - b[n]), n))
    return {name: (a[name], b[name]) for name in names}


def _setting_changes(a: Manifest | None, b: Manifest | None) -> dict[str, tuple[Any, Any]]:
    if a is None or b is None:
        return {}
    told = [{name: getattr(manifest, name) for name in _SETTINGS} for manifest in (a, b)]
    for settings, manifest in zip(told, (a, b), strict=True):
        prints = asdict(manifest.fingerprints)
        settings |= {f"fingerprint of {name}": prints[name] for name in prints if name != "all"}
    return {name: (told[0][name], told[1][name]) for name in told[0] if told[0][name] != told[1][name]}
