"""Check samples and media files as arrays: each invariant is one comparison over a whole record batch.

A problem names the file, the first rows that break the rule and how many more there are. Returns what the checks of
totals and of the ledger need: lengths and provenance of every sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.errors import ShardError
from dataprep.loss_masks import keep_last_answers
from dataprep.shards.arrow_file import ArrowTable
from dataprep.shards.format import (
    IGNORE_INDEX,
    KIND_FRAME,
    KIND_IMAGE,
    LOSS_LAST_ANSWER,
    MEDIA_EMBED,
    MEDIA_SCHEMA,
    SAMPLES_SCHEMA,
    content_hash,
)
from dataprep.shards.manifest import Manifest, SampleShard
from dataprep.shards.storage import Place

PROVENANCE = ("source_file", "source_line", "row_hash", "split")
_SHOWN_ROWS = 3

Rule = tuple[str, NDArray[np.bool_]]
"""What is wrong, and which rows of the batch it is true for."""


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """What later checks need of one samples shard: int64 lengths, and the columns of ``PROVENANCE``."""

    lengths: NDArray[np.int64]
    provenance: pa.Table


class BrokenRules:
    """Collect rows that break a rule, and say them in one sentence per rule."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._rows: dict[str, list[int]] = {}
        self._counts: dict[str, int] = {}

    def add(self, rules: Iterator[Rule], first_row: int) -> None:
        """Note the rows of a batch, which begins at ``first_row`` of the file."""
        for rule, broken in rules:
            count = int(np.count_nonzero(broken))
            if count:
                self._counts[rule] = self._counts.get(rule, 0) + count
                rows = self._rows.setdefault(rule, [])
                rows += [first_row + int(i) for i in np.flatnonzero(broken)[: _SHOWN_ROWS - len(rows)]]

    def problems(self) -> list[str]:
        """Return the sentences."""
        return [f"{self._file}: {rule} in row {_row_list(self._rows[rule], n)}" for rule, n in self._counts.items()]


def _row_list(rows: list[int], count: int) -> str:
    shown = ", ".join(map(str, rows))
    return shown if count == len(rows) else f"{shown} and {count - len(rows):,} more"


def check_samples(directory: Place, manifest: Manifest, sound: set[str]) -> tuple[dict[int, SampleFacts], list[str]]:
    """Check the samples shards whose bytes are sound.

    Args:
        directory: The shard directory.
        manifest: Its manifest.
        sound: Names of the files whose size and hash are right.

    Returns:
        Facts by shard number, and the problems.
    """
    facts: dict[int, SampleFacts] = {}
    problems: list[str] = []
    num_media = sum(entry.rows for entry in manifest.media_shards)
    for number, shard in enumerate(manifest.sample_shards):
        if shard.file in sound:
            try:
                facts[number], found = _check_sample_shard(directory, manifest, shard, num_media)
            except ShardError as error:
                found = [str(error).removeprefix(f"{directory}/")]
            problems += found
    return facts, problems


def _check_sample_shard(
    directory: Place, manifest: Manifest, shard: SampleShard, num_media: int
) -> tuple[SampleFacts, list[str]]:
    table = ArrowTable(directory / shard.file, SAMPLES_SCHEMA, shard.rows)
    broken = BrokenRules(shard.file)
    kept = [pa.Table.from_batches([], SAMPLES_SCHEMA).select(PROVENANCE)]
    lengths = [np.zeros(0, dtype=np.int64)]
    trained = tiles = 0
    for number, batch in enumerate(table.checked_batches()):
        view = _SampleBatch(batch)
        broken.add(_sample_rules(view, manifest, shard.split, num_media), number * table.batch_rows)
        lengths.append(view.id_counts)
        trained += int(view.trained.sum())
        tiles += int(view.tiles.sum())
        kept.append(pa.Table.from_batches([batch]).select(PROVENANCE))
    facts = SampleFacts(np.concatenate(lengths), pa.concat_tables(kept))
    problems = broken.problems()
    sums = {"tokens": int(facts.lengths.sum()), "trained_tokens": trained, "tiles": tiles}
    for name, actual in sums.items():
        if getattr(shard, name) != actual:
            problems.append(f"{shard.file}: {actual:,} {name}, the manifest says {getattr(shard, name):,}")
    return facts, problems


class _Lists:
    """A list column: flat values, and the row that each of them belongs to."""

    def __init__(self, array: pa.Array) -> None:
        offsets = array.offsets.to_numpy().astype(np.int64)
        self.offsets = offsets - offsets[0]
        self.values = array.flatten()
        self.counts = np.diff(self.offsets)

    def per_row(self, flags: NDArray[Any]) -> NDArray[np.int64]:
        """Sum one number per value over each row."""
        ends = np.concatenate(([0], np.cumsum(flags, dtype=np.int64)))
        sums: NDArray[np.int64] = ends[self.offsets[1:]] - ends[self.offsets[:-1]]
        return sums

    def any_in_row(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say for each row whether one of its values is flagged."""
        return self.per_row(flags) > 0

    def repeat(self, per_row: NDArray[Any]) -> NDArray[Any]:
        """Give every value its row's number."""
        return np.repeat(per_row, self.counts)


class _SampleBatch:
    """The columns of a samples batch that the rules look at."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self.ids = _Lists(batch.column("input_ids"))
        self.labels = _Lists(batch.column("labels"))
        self.images = _Lists(batch.column("images"))
        self.boxes = _Lists(batch.column("boxes"))
        self.id_values = self.ids.values.to_numpy()
        self.label_values = self.labels.values.to_numpy()
        self.id_counts = self.ids.counts
        self.has_loss = self.label_values != IGNORE_INDEX
        self.trained = self.labels.per_row(self.has_loss)
        self.tiles = self.images.per_row(self.image("tiles"))

    def image(self, name: str) -> NDArray[Any]:
        return np.asarray(self.images.values.field(name).to_numpy(zero_copy_only=False))

    def column(self, name: str) -> NDArray[Any]:
        return np.asarray(self.batch.column(name).to_numpy(zero_copy_only=False))


def _sample_rules(view: _SampleBatch, manifest: Manifest, split: str, num_media: int) -> Iterator[Rule]:
    yield from _token_rules(view, manifest)
    yield from _image_rules(view, num_media)
    yield from _box_rules(view)
    yield f"the split is not {split!r}", view.column("split") != split
    yield "source_line is below 1", view.column("source_line") < 1


def _token_rules(view: _SampleBatch, manifest: Manifest) -> Iterator[Rule]:
    lengths = view.column("length")
    yield "length is not the number of input_ids", lengths != view.id_counts
    yield "there is no token", view.id_counts == 0
    yield f"length is above max_length {manifest.max_length}", lengths > manifest.max_length
    yield "an input id is negative", view.ids.any_in_row(view.id_values < 0)
    yield "num_trained_tokens is not the number of labels with loss", view.column("num_trained_tokens") != view.trained
    context = view.ids.per_row(view.id_values == manifest.context_token_id)
    expected = view.tiles * manifest.tokens_per_tile
    yield "the context tokens are not tiles x tokens_per_tile", context != expected
    uneven = view.labels.counts != view.id_counts
    yield "labels and input_ids differ in number", uneven
    if not uneven.any():
        wrong = view.has_loss & (view.label_values != view.id_values)
        yield "a label is neither -100 nor the input id at its place", view.labels.any_in_row(wrong)
        on_image = view.has_loss & (view.id_values == manifest.context_token_id)
        yield "a context token carries loss", view.labels.any_in_row(on_image)
    if manifest.loss_mask == LOSS_LAST_ANSWER:
        kept = keep_last_answers(view.label_values, view.labels.offsets)
        yield "more than the last answer carries loss", view.labels.any_in_row(kept != view.label_values)


def _image_rules(view: _SampleBatch, num_media: int) -> Iterator[Rule]:
    images = view.images
    media, kind = view.image("media"), view.image("kind")
    tiles, grid = view.image("tiles"), view.image("columns").astype(np.int64) * view.image("rows")
    yield f"an image's media number is not in 0..{num_media - 1}", images.any_in_row((media < 0) | (media >= num_media))
    small = (view.image("width") < 1) | (view.image("height") < 1)
    yield "an image has no width or height", images.any_in_row(small)
    odd_grid = (grid < 1) | ((tiles != grid) & (tiles != grid + 1))
    yield "an image's tiles do not follow from its columns and rows", images.any_in_row(odd_grid)
    is_frame = kind == KIND_FRAME
    yield "an image's kind is unknown", images.any_in_row(~is_frame & (kind != KIND_IMAGE))
    number, index = view.image("video"), view.image("frame_index")
    misnumbered = np.where(is_frame, (number < 0) | (index < 0), (number != -1) | (index != -1))
    yield "an image's video or frame_index does not fit its kind", images.any_in_row(misnumbered)


def _box_rules(view: _SampleBatch) -> Iterator[Rule]:
    boxes = view.boxes
    image = np.asarray(boxes.values.field("image").to_numpy())
    outside = (image < 0) | (image >= boxes.repeat(view.images.counts))
    yield "a box points at no image of its row", boxes.any_in_row(outside)
    corners = np.stack([boxes.values.field(name).to_numpy() for name in ("x1", "y1", "x2", "y2")])
    yield "a box has a coordinate that is not a number", boxes.any_in_row(~np.isfinite(corners).all(axis=0))


def check_media(directory: Place, manifest: Manifest, sound: set[str]) -> list[str]:
    """Check the media shards whose bytes are sound, and that no content is stored twice; returns the problems."""
    problems: list[str] = []
    hashes = []
    rules = _embedded_rules if manifest.media_mode == MEDIA_EMBED else _linked_rules
    for shard in manifest.media_shards:
        if shard.file not in sound:
            continue
        table = ArrowTable(directory / shard.file, MEDIA_SCHEMA, shard.rows)
        broken = BrokenRules(shard.file)
        try:
            for number, batch in enumerate(table.checked_batches()):
                broken.add(_media_rules(batch, rules), number * table.batch_rows)
                hashes.append(batch.column("hash").drop_null())
        except ShardError as error:
            problems.append(str(error).removeprefix(f"{directory}/"))
        problems += broken.problems()
    distinct = pa.chunked_array(hashes, MEDIA_SCHEMA.field("hash").type)
    if manifest.media_mode == MEDIA_EMBED and len(distinct.unique()) != len(distinct):
        problems.append(f"{manifest.media_shards[0].file}: some content is stored twice in the media shards")
    return problems


def _media_rules(batch: pa.RecordBatch, rules: Callable[[pa.RecordBatch], Iterator[Rule]]) -> Iterator[Rule]:
    size_px = [batch.column(name).to_numpy() for name in ("width", "height")]
    yield "width or height is below 1", (size_px[0] < 1) | (size_px[1] < 1)
    orientation = batch.column("orientation").to_numpy()
    yield "the orientation is not in 1..8", (orientation < 1) | (orientation > 8)
    yield from rules(batch)


def _nulls(batch: pa.RecordBatch, name: str) -> NDArray[np.bool_]:
    return np.asarray(batch.column(name).is_null().to_numpy(zero_copy_only=False))


def _embedded_rules(batch: pa.RecordBatch) -> Iterator[Rule]:
    missing = _nulls(batch, "bytes") | _nulls(batch, "hash")
    yield "embedded media lack their bytes or hash", missing
    yield "the hash is not that of the bytes", _wrong_hashes(batch, ~missing)


def _wrong_hashes(batch: pa.RecordBatch, has_both: NDArray[np.bool_]) -> NDArray[np.bool_]:
    rows = zip(batch.column("bytes"), batch.column("hash"), has_both, strict=True)
    wrong = [bool(both) and content_hash(data.as_buffer()) != stored.as_py() for data, stored, both in rows]
    return np.array(wrong, dtype=np.bool_)


def _linked_rules(batch: pa.RecordBatch) -> Iterator[Rule]:
    # What had no file to link to (inline data, a URL) is stored with its bytes.
    is_stored = _nulls(batch, "path") & ~_nulls(batch, "bytes")
    lacks_file = np.logical_or.reduce([_nulls(batch, name) for name in ("path", "size", "mtime_ns")])
    yield "linked media lack path, size or mtime_ns", lacks_file & ~is_stored
    yield "linked media have bytes", ~_nulls(batch, "bytes") & ~is_stored
    yield "media without a file lack their hash", is_stored & _nulls(batch, "hash")
    yield "the hash is not that of the bytes", _wrong_hashes(batch, is_stored & ~_nulls(batch, "hash"))
