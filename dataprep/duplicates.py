"""Leave out rows that repeat an earlier one: equal content about equal media, over all data files of a conversion.

This runs between planning and writing, when all parts are known, so the first row in input order is the one that stays,
whatever the number of workers. Parts with such rows get a twin without them; the parts themselves stay as they are, for
the next run if this one is killed. Rows are compared by hashes: 24 bytes are held of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dataprep.assembly import read_part
from dataprep.part_tables import PART_SCHEMA
from dataprep.parts import Part, SplitCounts
from dataprep.rewriting import take_over
from dataprep.shards.columns import numbers, tiles_per_row
from dataprep.shards.format import DUPLICATE, HASH_BYTES, LEDGER_SCHEMA, REPAIRED
from dataprep.shards.writer import write_arrow

_MediaOfRow = tuple[tuple[str, str], ...]


def drop_duplicates(folder: Path, parts: Sequence[Part]) -> list[Part]:
    """Return the parts without the samples that repeat an earlier one; their lines of the ledger say ``duplicate``.

    Args:
        folder: Where the files of the parts are.
        parts: In input order.

    Raises:
        ShardError: When the system refuses to write.
    """
    repeated = _find_repeated(folder, parts)
    return [_without(folder, part, repeated[index]) if index in repeated else part for index, part in enumerate(parts)]


def _find_repeated(folder: Path, parts: Sequence[Part]) -> dict[int, set[int]]:
    """Return, by number of the part, which of its samples repeat an earlier one."""
    columns = [read_part(folder / f"{part.name}.samples").column("row_hash") for part in parts]
    counts = [len(column) for column in columns]
    owners = np.repeat(np.arange(len(parts), dtype=np.int64), counts)
    starts = np.cumsum([0, *counts])
    candidates = _same_hash(_as_integers(columns))
    first: dict[tuple[bytes, _MediaOfRow], int] = {}
    repeated: dict[int, set[int]] = {}
    for row, row_hash, media in _with_media(folder, parts, candidates, owners, starts):
        if first.setdefault((row_hash, media), row) != row:
            owner = int(owners[row])
            repeated.setdefault(owner, set()).add(row - int(starts[owner]))
    return repeated


def _as_integers(columns: Sequence[pa.ChunkedArray]) -> NDArray[np.uint64]:
    """Return hashes as pairs of integers, shape (rows, 2)."""
    chunks = [chunk for column in columns for chunk in column.chunks if len(chunk)]
    pieces = [np.frombuffer(chunk.buffers()[1], np.uint8) for chunk in chunks]
    cut = [
        piece[chunk.offset * HASH_BYTES : (chunk.offset + len(chunk)) * HASH_BYTES]
        for piece, chunk in zip(pieces, chunks, strict=True)
    ]
    return np.concatenate([np.zeros(0, np.uint8), *cut]).view(np.uint64).reshape(-1, 2)


def _same_hash(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the rows whose hash another row has too, ascending."""
    order = np.lexsort((hashes[:, 0], hashes[:, 1]))
    ordered = hashes[order]
    is_like_next = np.zeros(len(order) + 1, dtype=bool)
    is_like_next[1:-1] = (ordered[1:] == ordered[:-1]).all(axis=1)
    return np.sort(order[is_like_next[1:] | is_like_next[:-1]])


def _with_media(
    folder: Path,
    parts: Sequence[Part],
    rows: NDArray[np.int64],
    owners: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> Iterator[tuple[int, bytes, _MediaOfRow]]:
    """Yield some rows with their hashes and the keys of their media."""
    for owner in np.unique(owners[rows]).tolist():
        part = parts[owner]
        mine = rows[owners[rows] == owner]
        table = read_part(folder / f"{part.name}.samples").select(["row_hash", "images"])
        for row, entry in zip(mine.tolist(), table.take(pa.array(mine - starts[owner])).to_pylist(), strict=True):
            yield row, entry["row_hash"], tuple(part.media_keys[image["media"]] for image in entry["images"])


def _without(folder: Path, part: Part, dropped: set[int]) -> Part:
    """Write the twin of a part without some of its samples, by their numbers."""
    name = f"{part.name}-once"
    samples = read_part(folder / f"{part.name}.samples")
    kept = samples.filter(pa.array([row not in dropped for row in range(len(samples))]))
    ledger, num_repaired = _with_duplicates(read_part(folder / f"{part.name}.ledger"), dropped)
    write_arrow(folder / f"{name}.samples", PART_SCHEMA, kept.to_batches(), is_durable=False)
    write_arrow(folder / f"{name}.ledger", LEDGER_SCHEMA, ledger.to_batches(), is_durable=False)
    for ending in (".media", ".rejects"):
        take_over(folder / f"{part.name}{ending}", folder / f"{name}{ending}")
    return replace(
        part,
        name=name,
        splits=_count_splits(kept),
        num_repaired=part.num_repaired - num_repaired,
        num_duplicates=len(dropped),
    )


def _with_duplicates(ledger: pa.Table, dropped: set[int]) -> tuple[pa.Table, int]:
    """Return the ledger with the lines of some samples turned into duplicates, and how many of them were repaired."""
    outcomes, splits = (ledger.column(name).to_pylist() for name in ("outcome", "split"))
    lines = [line for line, split in enumerate(splits) if split]
    num_repaired = 0
    for sample in dropped:
        line = lines[sample]
        num_repaired += outcomes[line] == REPAIRED
        outcomes[line], splits[line] = DUPLICATE, ""
    for name, values in (("outcome", outcomes), ("split", splits)):
        index = LEDGER_SCHEMA.get_field_index(name)
        ledger = ledger.set_column(index, LEDGER_SCHEMA.field(index), pa.array(values, pa.string()))
    return ledger, num_repaired


def _count_splits(samples: pa.Table) -> dict[str, SplitCounts]:
    counts: dict[str, SplitCounts] = {}
    for split in samples.column("split").unique().to_pylist():
        for batch in samples.filter(pc.equal(samples.column("split"), split)).to_batches():
            more = SplitCounts(
                rows=len(batch),
                tokens=int(numbers(batch.column("length")).sum()),
                trained_tokens=int(numbers(batch.column("num_trained_tokens")).sum()),
                tiles=int(tiles_per_row(batch.column("images")).sum()),
            )
            counts[split] = counts.get(split, SplitCounts()).plus(more)
    return counts
