"""Take over from older shards what need not be encoded again: which rows of a chunk, and their columns.

A row is taken over if an older sample was made of the same content with images of the same sizes and the rules up to
the level of media say the same of it. Everything behind the tokenizer is then known: it is a function of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dataprep.media.index import MediaFacts
from dataprep.old_samples import OldSamples, Placed
from dataprep.part_tables import PART_SCHEMA, Converted
from dataprep.parts import SplitCounts
from dataprep.plain.reader import Glance, PlainReader
from dataprep.quick_layouts import LayoutMaker
from dataprep.records import hash_row
from dataprep.rules.base import CheckedRow, Level
from dataprep.rules.measuring import lay_out_row
from dataprep.rules.runner import RowChecker
from dataprep.rules.table import RULES
from dataprep.shards.columns import numbers, tiles_per_row
from dataprep.shards.flat import batch_of_columns, id_lists, struct_lists
from dataprep.shards.format import KIND_IMAGE
from dataprep.sources import RawRow

if TYPE_CHECKING:
    from dataprep.encode import Encoder


@dataclass(frozen=True, slots=True)
class Taken:
    """A row whose sample is taken over.

    Attributes:
        raw: The row as found.
        row_hash: Hash of its content.
        codes: Rules that have something to say about it.
        number: Number of the older sample.
        images: Facts of its images, in the order of the slots.
        row: The row, laid out, where it is none of the plain ones.
    """

    raw: RawRow
    row_hash: bytes
    codes: tuple[str, ...]
    number: int
    images: list[MediaFacts]
    row: CheckedRow | None = None


class Taker:
    """Decides about the rows of chunks."""

    def __init__(self, old: OldSamples, encoder: Encoder, *, exif: str) -> None:
        """Begin.

        Args:
            old: The older samples.
            encoder: Lays rows out.
            exif: ``ignore`` or ``apply`` the EXIF orientation of images.
        """
        self.old = old
        self._encoder = encoder
        self._exif = exif
        self._maker = LayoutMaker(encoder.settings)

    def check(
        self, raws: Sequence[RawRow], checker: RowChecker, reader: PlainReader | None
    ) -> list[CheckedRow | Taken]:
        """Return what can be taken over, and the other rows checked.

        Args:
            raws: Rows of one data file.
            checker: Checks them.
            reader: Reads those that are plain; None if there is none.
        """
        glances = [None] * len(raws) if reader is None else reader.glance(raws)
        numbers_of_plain = iter(self.old.find([glance[4] for glance in glances if glance is not None]))
        result: list[CheckedRow | Taken | None] = []
        rest: list[tuple[int, CheckedRow]] = []
        for index, (raw, glance) in enumerate(zip(raws, glances, strict=True)):
            if glance is not None and reader is not None:
                taken = self._take_plain(raw, glance, next(numbers_of_plain))
                row = None if taken else reader.complete(raw, glance)
            else:
                row = checker.check_untokenized(raw)
                taken = self._take(row)
            result.append(taken)
            if taken is None and row is not None:
                rest.append((index, row))
        if rest:
            checked = checker.check_all([row.raw for _, row in rest], [row for _, row in rest])
            for (index, _), row in zip(rest, checked, strict=True):
                result[index] = row
        return [entry for entry in result if entry is not None]

    def _take_plain(self, raw: RawRow, glance: Glance, number: int) -> Taken | None:
        if number < 0:
            return None
        images = glance[3]
        placed = self.old.images(number)
        if len(placed) != len(images):
            return None
        for facts, before in zip(images, placed, strict=True):
            size = facts.image_size(exif=self._exif)
            if size is None or (KIND_IMAGE, size.width, size.height) != before[:3]:
                return None
        codes = self.old.codes(number)
        if codes and not all(map(_is_of_tokens, codes)):
            return None
        return Taken(raw, glance[4], codes, number, images)

    def _take(self, row: CheckedRow) -> Taken | None:
        if row.record is None or row.has_errors:
            return None
        row_hash = hash_row(row.value)
        (number,) = self.old.find([row_hash])
        if number < 0:
            return None
        codes = self.old.codes(number)
        found = dict.fromkeys(f.code for f in sorted(row.findings, key=lambda f: f.severity.rank))
        if list(found) != [code for code in codes if not _is_of_tokens(code)]:
            return None
        row.layout = lay_out_row(row, self._encoder, exif=self._exif, maker=self._maker)
        if _placed(row) != self.old.images(number):
            return None
        return Taken(row.raw, row_hash, codes, number, row.images, row)


def _is_of_tokens(code: str) -> bool:
    return code in RULES and RULES[code].level is Level.TOKENS


def _placed(row: CheckedRow) -> list[Placed]:
    assert row.layout is not None
    return [
        (i.kind, i.width, i.height, -1 if i.kind == KIND_IMAGE else i.source, i.frame_index) for i in row.layout.images
    ]


@dataclass(frozen=True, slots=True)
class TakenSample:
    """A row taken over, with its media numbers within the part and its split."""

    row: Taken
    media: list[int]
    split: str

    @property
    def line(self) -> int:
        """Its line in the data file."""
        return self.row.raw.location.line


def join_samples(
    rows: Sequence[Converted | TakenSample],
    fresh: pa.RecordBatch | None,
    *,
    old: OldSamples,
    source: str,
) -> tuple[pa.RecordBatch, dict[str, SplitCounts]]:
    """Return the samples of a part, and what they count by split.

    Args:
        rows: All rows of the part that become samples, in order.
        fresh: The samples of those that were encoded, in order; None if there are none.
        old: The older samples.
        source: The data file.
    """
    pieces = list(_cut(rows, fresh, old))
    columns: dict[str, Any] = {
        name: pa.concat_arrays([piece.column(name) for piece in pieces])
        for name in ("length", "num_trained_tokens", "prompt", "response", "boxes")
    }
    columns["input_ids"], columns["labels"] = _spread_ids(rows, fresh)
    columns["images"] = _renumber([piece.column("images") for piece in pieces], [m for row in rows for m in row.media])
    columns["source_file"] = [source] * len(rows)
    columns["source_line"] = [row.line if isinstance(row, TakenSample) else row.row.raw.location.line for row in rows]
    columns["row_hash"] = [row.row.row_hash if isinstance(row, TakenSample) else row.row_hash for row in rows]
    columns["split"] = [row.split for row in rows]
    columns["taken"] = [row.row.number if isinstance(row, TakenSample) else -1 for row in rows]
    batch = batch_of_columns(PART_SCHEMA, columns)
    return batch, _count_splits(batch, columns["split"])


def _cut(rows: Sequence[Converted | TakenSample], fresh: pa.RecordBatch | None, old: OldSamples) -> Any:
    """Yield the samples as slices of the fresh ones and of the older ones: as few as there are stretches."""
    start = num_fresh = 0
    while start < len(rows):
        first, end = rows[start], start + 1
        if isinstance(first, TakenSample):
            number = first.row.number
            while end < len(rows) and _continues(rows[end], number + end - start):
                end += 1
            yield from old.slices(number, end - start)
        else:
            assert fresh is not None
            while end < len(rows) and not isinstance(rows[end], TakenSample):
                end += 1
            yield fresh.slice(num_fresh, end - start)
            num_fresh += end - start
        start = end


def _continues(row: Converted | TakenSample, number: int) -> bool:
    return isinstance(row, TakenSample) and row.row.number == number


def _spread_ids(rows: Sequence[Converted | TakenSample], fresh: pa.RecordBatch | None) -> tuple[pa.Array, pa.Array]:
    """Return ids and labels, which rows that are taken over have none of yet: they are copied once, into the shard."""
    ids = labels = np.zeros(0, np.int32)
    counts = np.zeros(len(rows), np.int64)
    if fresh is not None:
        ids, labels = (numbers(fresh.column(name).values) for name in ("input_ids", "labels"))
        is_fresh = np.fromiter((not isinstance(row, TakenSample) for row in rows), bool, len(rows))
        counts[is_fresh] = np.diff(numbers(fresh.column("input_ids").offsets))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return id_lists(offsets, ids), id_lists(offsets, labels)


def _renumber(columns: Sequence[pa.Array], media: Sequence[int]) -> pa.Array:
    """Return one column of images with other media numbers."""
    lists = pa.concat_arrays(columns)
    counts = np.diff(numbers(lists.offsets)).tolist()
    structs = lists.flatten()
    values = dict(zip((field.name for field in structs.type), structs.flatten(), strict=True))
    return struct_lists("images", counts, values | {"media": media})


def _count_splits(batch: pa.RecordBatch, splits: Sequence[str]) -> dict[str, SplitCounts]:
    columns = [
        numbers(batch.column("length")),
        numbers(batch.column("num_trained_tokens")),
        tiles_per_row(batch.column("images")),
    ]
    counts: dict[str, SplitCounts] = {}
    for split in dict.fromkeys(splits):
        chosen = np.fromiter((name == split for name in splits), bool, len(splits))
        tokens, trained, tiles = (int(column[chosen].sum(dtype=np.int64)) for column in columns)
        counts[split] = SplitCounts(int(chosen.sum()), tokens, trained, tiles)
    return counts
