"""One row of numbers and hashes for every input row of a shard directory or of data files: what a diff compares.

Texts, ids and media are not kept, so a million rows take some hundred megabytes. Captions are counted on the way.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dataprep.data_files import expand_paths
from dataprep.formats.reading import read_record
from dataprep.parsing import parse_row
from dataprep.records import hash_row, hash_text
from dataprep.shards.format import HASH_BYTES, LEDGER_SCHEMA, MANIFEST_NAME
from dataprep.shards.ledger import open_ledger
from dataprep.shards.manifest import Manifest
from dataprep.shards.reader import Shards, open_shards
from dataprep.shards.storage import to_place
from dataprep.sources import RawRow, read_rows

if TYPE_CHECKING:
    import polars as pl

_COLUMNS = ("source_file", "source_line", "row_hash", "outcome", "split", "shard", "row_in_shard")


@dataclass(frozen=True, slots=True)
class RowTable:
    """The rows of one side of a diff.

    Attributes:
        name: The path as it was given.
        rows: Columns ``file``, ``line``, ``hash`` and, null where they are not known, ``outcome``, ``split``,
            ``tokens`` and ``trained``; one row per input row, in input order.
        captions: Objects with each caption: of samples in shards, of readable rows in data files.
        manifest: The manifest of a shard directory; None for data files.
    """

    name: str
    rows: pl.DataFrame
    captions: Counter[str]
    manifest: Manifest | None


def read_table(path: str) -> RowTable:
    """Read a shard directory, a data file, or a folder of data files.

    Raises:
        ShardError: If shards cannot be read.
        SourceError: If a data file cannot be read.
    """
    if (to_place(path) / MANIFEST_NAME).is_file():
        return _read_shards(path)
    return _read_sources(path)


def _read_shards(path: str) -> RowTable:
    import polars as pl
    import pyarrow as pa

    shards = open_shards(path)
    batches = open_ledger(shards.directory, shards.manifest).checked_batches()
    parts = [pl.DataFrame(pa.Table.from_batches([batch]).select(_COLUMNS)) for batch in batches]
    empty = pl.DataFrame(pa.Table.from_batches([], LEDGER_SCHEMA).select(_COLUMNS))
    ledger = pl.concat([empty, *parts]) if parts else empty
    starts = np.cumsum([0, *(shard.rows for shard in shards.manifest.sample_shards)])
    shard, local = ledger["shard"].to_numpy(), ledger["row_in_shard"].to_numpy()
    numbers = np.where(shard >= 0, starts[shard] + local, -1)
    counts = {"tokens": shards.column("length"), "trained": shards.column("num_trained_tokens")}
    # The entry behind the last is what rows without a sample get.
    columns = {name: np.append(values, -1)[numbers] for name, values in counts.items()}
    rows = ledger.select(
        pl.col("source_file").alias("file"),
        pl.col("source_line").alias("line"),
        pl.col("row_hash").alias("hash"),
        "outcome",
        pl.when(pl.col("split") != "").then(pl.col("split")).alias("split"),
    ).with_columns(pl.Series(name, values, pl.Int64).replace(-1, None) for name, values in columns.items())
    return RowTable(path, rows, _count_captions(shards), shards.manifest)


def _count_captions(shards: Shards) -> Counter[str]:
    import pyarrow.compute as pc

    captions: Counter[str] = Counter()
    for batch in shards.sample_batches():
        values = pc.value_counts(pc.list_flatten(batch.column("boxes")).field("caption"))
        captions.update({pair["values"]: pair["counts"] for pair in values.to_pylist()})
    return captions


def _read_sources(path: str) -> RowTable:
    import polars as pl

    files = expand_paths([path])
    captions: Counter[str] = Counter()
    hashes, lines, owners = bytearray(), array("q"), array("q")
    for number, file in enumerate(files):
        for raw in read_rows(file):
            hashes += _hash_and_count(raw, captions)
            lines.append(raw.location.line)
            owners.append(number)
    names = pl.Series([Path(file).name for file in files], dtype=pl.String)
    rows = pl.DataFrame(
        {
            "file": names.gather(pl.Series(owners, dtype=pl.Int64)),
            "line": pl.Series(lines, dtype=pl.Int64),
            "hash": pl.Series([bytes(part) for part in _cut(hashes)], dtype=pl.Binary),
        }
    )
    unknown = {"outcome": pl.String, "split": pl.String, "tokens": pl.Int64, "trained": pl.Int64}
    rows = rows.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in unknown.items())
    return RowTable(path, rows, captions, None)


def _cut(hashes: bytearray) -> Iterator[bytearray]:
    return (hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES))


def _hash_and_count(raw: RawRow, captions: Counter[str]) -> bytes:
    """Return the hash that conversion gives the row, and count the captions of its objects."""
    value, _ = parse_row(raw)
    if value is None:
        return hash_text(raw.text)
    if value.get("objects"):
        record, _ = read_record(value, raw.location)
        for entry in (record.objects or ()) if record is not None else ():
            captions[entry.caption or ""] += len(entry.boxes)
    return hash_row(value)
