"""Count the tokens of the rows of data files as conversion would encode them, for comparing files before converting."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

from dataprep.blocks import cut_chunks
from dataprep.config import RowConfig
from dataprep.data_files import expand_paths
from dataprep.pool import run_ordered
from dataprep.rules.runner import FOR_CONVERSION, CheckerRecipe, CheckerSet
from dataprep.rules.spans import spans_of
from dataprep.sources import RawRow, read_rows
from dataprep.tables import RowTable

_NO_LIMIT = 1 << 40


def with_tokens(table: RowTable, config: RowConfig, *, jobs: int = 1) -> RowTable:
    """Return the rows of data files with their tokens; a row that could not be converted has none.

    How long a sample may be does not matter here.

    Args:
        table: The rows, as read from ``table.name``.
        config: Model type, model folder and what rows mean.
        jobs: Number of worker processes.

    Raises:
        DataprepError: If an option cannot be used, or a data file cannot be read any more.
    """
    import polars as pl

    tokens, trained = array("q"), array("q")
    chunks = (chunk for path in expand_paths([table.name]) for chunk in cut_chunks(read_rows(path)))
    recipe = CheckerRecipe(replace(config, max_length=_NO_LIMIT), FOR_CONVERSION)
    for counts in run_ordered(_count_chunk, chunks, build=recipe, jobs=jobs):
        for of_row in counts:
            tokens.append(of_row[0])
            trained.append(of_row[1])
    columns = [pl.Series(name, values, pl.Int64) for name, values in (("tokens", tokens), ("trained", trained))]
    return replace(
        table, rows=table.rows.with_columns(columns).with_columns(pl.col("tokens", "trained").replace(-1, None))
    )


def _count_chunk(checkers: CheckerSet, rows: Sequence[RawRow]) -> list[tuple[int, int]]:
    checked = checkers.for_file(rows[0].location.path).check_all(rows)
    checkers.remember()
    return [
        (-1, -1)
        if row.has_errors or row.num_tokens is None
        else (row.num_tokens, sum(span.num_trained for span in spans_of(row)))
        for row in checked
    ]
