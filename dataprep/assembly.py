"""The last stages of a conversion: parts -> media shards, sample shards, ledger and rejects.

Every task is a pure function of its slice of the plan, so shards may be written in any order by any number of
workers. Media that lie in files are read here a second time, and must still be what the plan saw.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dataprep.errors import SourceError
from dataprep.media_placing import read_media_into
from dataprep.old_samples import OldSamples
from dataprep.parts import TRAIN_SPLIT, Part, SplitCounts
from dataprep.shards.arrays import array_from_numpy, array_of
from dataprep.shards.columns import numbers
from dataprep.shards.flat import id_lists
from dataprep.shards.format import LEDGER_SCHEMA, MEDIA_SCHEMA, SAMPLES_SCHEMA, content_hash, media_name, samples_name
from dataprep.shards.repairs import read_repairs, write_repairs
from dataprep.shards.samples import Reject, RejectFinding
from dataprep.shards.storage import Place
from dataprep.shards.writer import ShardFile, regroup, write_arrow, write_rejects
from dataprep.token_columns import expand_runs

SHARD_BYTES = 256 << 20
_BYTES_PER_TOKEN = 8  # an id and a label


@dataclass(frozen=True, slots=True)
class MediaTask:
    """One media shard: which rows of which parts' media it holds, in order."""

    number: int
    pieces: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class SamplesTask:
    """One samples shard: its split and, for each part, the global number of each of the part's media."""

    number: int
    split: str
    pieces: tuple[tuple[str, NDArray[np.int64]], ...]


@dataclass(slots=True)
class ShardPlan:
    """Which media and rows go into which shard; a pure function of the parts.

    Attributes:
        media: Tasks of the media stage.
        samples: Tasks of the samples stage.
        shard_counts: Rows, tokens, trained tokens and tiles of each samples shard.
        places: For each (part name, split) the number of the samples shard.
    """

    media: list[MediaTask] = field(default_factory=list)
    samples: list[SamplesTask] = field(default_factory=list)
    shard_counts: list[SplitCounts] = field(default_factory=list)
    places: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssemblyState:
    """What every task needs: where parts and shards lie, the folder of media paths, the id of the context token."""

    parts: Path
    out: Place
    media_base: Path
    context_id: int


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """Every file of a shard directory but the manifest."""

    media: list[ShardFile]
    samples: list[ShardFile]
    ledger: ShardFile
    rejects: ShardFile
    repairs: ShardFile | None = None


def plan_shards(parts: Sequence[Part]) -> ShardPlan:
    """Number the distinct media of all parts in input order and cut everything into shards."""
    plan = ShardPlan()
    cut_samples(parts, _number_media(parts, plan), plan)
    return plan


def cut_samples(parts: Sequence[Part], maps: Mapping[str, NDArray[np.int64]], plan: ShardPlan) -> None:
    """Cut the samples of all parts into shards.

    Args:
        parts: The parts, in input order.
        maps: For each part the global number of each of its media.
        plan: Where the tasks of the samples stage are put.
    """
    names = list(dict.fromkeys(split for part in parts for split in part.splits))
    # train first, then the other splits in the order in which they occur
    for split in sorted(names, key=lambda name: name != TRAIN_SPLIT):
        _cut_split(split, [part for part in parts if split in part.splits], maps, plan)


def _number_media(parts: Sequence[Part], plan: ShardPlan) -> dict[str, NDArray[np.int64]]:
    numbers: dict[tuple[str, str], int] = {}
    maps: dict[str, NDArray[np.int64]] = {}
    pieces: list[tuple[str, tuple[int, ...]]] = []
    shard_bytes = 0
    for part in parts:
        new: list[int] = []
        for index, (key, size) in enumerate(zip(part.media_keys, part.media_bytes, strict=True)):
            if key in numbers:
                continue
            if shard_bytes and shard_bytes + size > SHARD_BYTES:
                pieces += [(part.name, tuple(new))] if new else []
                plan.media.append(MediaTask(len(plan.media), tuple(pieces)))
                pieces, new, shard_bytes = [], [], 0
            numbers[key] = len(numbers)
            new.append(index)
            shard_bytes += size
        if new:
            pieces.append((part.name, tuple(new)))
        maps[part.name] = np.array([numbers[key] for key in part.media_keys], dtype=np.int64)
    if pieces:
        plan.media.append(MediaTask(len(plan.media), tuple(pieces)))
    return maps


def _cut_split(split: str, parts: Sequence[Part], maps: Mapping[str, NDArray[np.int64]], plan: ShardPlan) -> None:
    pieces: list[tuple[str, NDArray[np.int64]]] = []
    counts = SplitCounts()
    for part in parts:
        plan.places[part.name, split] = len(plan.samples)
        pieces.append((part.name, maps[part.name]))
        counts = counts.plus(part.splits[split])
        if counts.tokens * _BYTES_PER_TOKEN >= SHARD_BYTES or part is parts[-1]:
            plan.samples.append(SamplesTask(len(plan.samples), split, tuple(pieces)))
            plan.shard_counts.append(counts)
            pieces, counts = [], SplitCounts()


def read_part(path: Path) -> pa.Table:
    """Return one file of a part, memory-mapped."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def write_shard(state: AssemblyState, task: MediaTask | SamplesTask, old: OldSamples | None = None) -> ShardFile:
    """Write one shard of either kind; ``old`` are the samples that parts take over."""
    if isinstance(task, MediaTask):
        return write_media_shard(state, task)
    return write_samples_shard(state, task, old)


def write_media_shard(state: AssemblyState, task: MediaTask) -> ShardFile:
    """Write one media shard."""
    path = state.out / media_name(task.number)
    # Grouped before the bytes are there, which so are copied once.
    batches = (_embed(state, batch) for batch in regroup(path, MEDIA_SCHEMA, _media_batches(state, task)))
    return write_arrow(path, MEDIA_SCHEMA, batches)


def _media_batches(state: AssemblyState, task: MediaTask) -> Iterator[pa.RecordBatch]:
    for name, rows in task.pieces:
        table = read_part(state.parts / f"{name}.media")
        if rows != tuple(range(len(table))):
            table = table.take(array_from_numpy(np.array(rows)))
        yield from table.to_batches()


def _embed(state: AssemblyState, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch of media with the bytes of those that are to be embedded and lie in files."""
    hashes, paths, sizes = (batch.column(name).to_pylist() for name in ("hash", "path", "size"))
    stored = batch.column("bytes")
    is_linked = [digest is None for digest in hashes]
    if not stored.null_count or all(is_linked):
        return batch
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(np.where(is_linked, 0, sizes), out=offsets[1:])
    buffer = pa.allocate_buffer(int(offsets[-1]))
    for row, (start, end) in enumerate(pairwise(offsets.tolist())):
        space = memoryview(buffer)[start:end]
        if stored[row].is_valid:
            space[:] = stored[row].as_buffer()
        elif not is_linked[row]:
            file = str(state.media_base / paths[row])
            if not read_media_into(file, space) or content_hash(space) != hashes[row]:
                raise SourceError(f"{file} changed during the conversion; leave media alone and run the command again")
    valid = pa.py_buffer(np.packbits(~np.array(is_linked), bitorder="little")) if any(is_linked) else None
    data = pa.Array.from_buffers(stored.type, len(sizes), [valid, pa.py_buffer(offsets), buffer])
    index = MEDIA_SCHEMA.get_field_index("bytes")
    return batch.set_column(index, MEDIA_SCHEMA.field(index), data)


def write_samples_shard(state: AssemblyState, task: SamplesTask, old: OldSamples | None = None) -> ShardFile:
    """Write one samples shard."""
    return write_arrow(state.out / samples_name(task.number), SAMPLES_SCHEMA, _samples_batches(state, task, old))


def _samples_batches(state: AssemblyState, task: SamplesTask, old: OldSamples | None) -> Iterator[pa.RecordBatch]:
    for name, media in task.pieces:
        table = read_part(state.parts / f"{name}.samples")
        # Not the text itself: that imports pandas where it is installed.
        chosen = pc.equal(table["split"], array_of([task.split], pa.string())[0])
        if not pc.all(chosen).as_py():
            table = table.filter(chosen)
        for batch in table.combine_chunks().to_batches():
            yield _fill_ids(_renumber_media(batch, media), state.context_id, old)


def _fill_ids(batch: pa.RecordBatch, context_id: int, old: OldSamples | None) -> pa.RecordBatch:
    """Return the batch with runs of context tokens written out, and with the ids that are taken over."""
    taken = numbers(batch.column("taken"))
    batch = batch.select(SAMPLES_SCHEMA.names)
    pieces = []
    ends = [*(np.flatnonzero(~_follows(taken)) + 1).tolist(), len(taken)]
    for start, end in pairwise([0, *ends]):
        if taken[start] < 0:
            ids, labels, offsets = _flat_ids(batch.slice(start, end - start))
            pieces.append(expand_runs(ids, labels, offsets, context_id=context_id))
        else:
            assert old is not None
            pieces += [_flat_ids(piece) for piece in old.slices(int(taken[start]), end - start)]
    shifts = np.cumsum([0, *(len(ids) for ids, _, _ in pieces)])
    offsets = np.concatenate([[0], *(o[1:] + shift for (_, _, o), shift in zip(pieces, shifts, strict=False))])
    for name, values in (("input_ids", [ids for ids, _, _ in pieces]), ("labels", [labels for _, labels, _ in pieces])):
        index = SAMPLES_SCHEMA.get_field_index(name)
        joined = values[0] if len(values) == 1 else np.concatenate(values)
        batch = batch.set_column(index, SAMPLES_SCHEMA.field(index), id_lists(offsets, joined))
    return batch


def _follows(taken: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell of each row but the first whether it goes on where the one before it was taken from."""
    before, after = taken[:-1], taken[1:]
    is_same: NDArray[np.bool_] = np.where(before < 0, after < 0, after == before + 1)
    return is_same


def _flat_ids(batch: pa.RecordBatch) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return ids, labels and where each row begins in them."""
    offsets = numbers(batch.column("input_ids").offsets)
    ids, labels = (numbers(batch.column(name).values)[offsets[0] : offsets[-1]] for name in ("input_ids", "labels"))
    return ids, labels, offsets - offsets[0]


def _renumber_media(batch: pa.RecordBatch, media: NDArray[np.int64]) -> pa.RecordBatch:
    """Return the batch with media numbers that count over all shards instead of within the part."""
    index = SAMPLES_SCHEMA.get_field_index("images")
    lists = batch.column(index)
    structs = lists.values
    if len(structs) == 0:
        return batch
    local = numbers(structs.field("media"))
    children = [array_from_numpy(media[local]) if f.name == "media" else structs.field(f.name) for f in structs.type]
    fresh = pa.StructArray.from_arrays(children, fields=list(structs.type))
    images = pa.ListArray.from_arrays(lists.offsets, fresh, type=lists.type)
    return batch.set_column(index, SAMPLES_SCHEMA.field(index), images)


def write_ledger(path: Place, state: AssemblyState, parts: Sequence[Part], plan: ShardPlan) -> ShardFile:
    """Write the ledger of all parts, with the place of each sample."""
    next_row = [0] * len(plan.samples)

    def batches() -> Iterator[pa.RecordBatch]:
        for part in parts:
            for batch in read_part(state.parts / f"{part.name}.ledger").to_batches():
                yield _fill_places(batch, part.name, plan.places, next_row)

    return write_arrow(path, LEDGER_SCHEMA, batches())


def _fill_places(
    batch: pa.RecordBatch, name: str, places: dict[tuple[str, str], int], next_row: list[int]
) -> pa.RecordBatch:
    shards, rows = [], []
    for split in batch.column("split").to_pylist():
        shard = places[name, split] if split else -1
        shards.append(shard)
        rows.append(next_row[shard] if split else -1)
        if split:
            next_row[shard] += 1
    for column, values in (("shard", shards), ("row_in_shard", rows)):
        index = LEDGER_SCHEMA.get_field_index(column)
        batch = batch.set_column(index, LEDGER_SCHEMA.field(index), array_of(values, pa.int32()))
    return batch


def join_rejects(path: Place, state: AssemblyState, parts: Sequence[Part]) -> ShardFile:
    """Write the rejects of all parts into one file."""

    def rejects() -> Iterator[Reject]:
        for part in parts:
            with (state.parts / f"{part.name}.rejects").open(encoding="utf-8") as lines:
                yield from map(reject_from_json, lines)

    return write_rejects(path, rejects())


def join_repairs(path: Place, state: AssemblyState, parts: Sequence[Part]) -> ShardFile | None:
    """Write what was done to rows that were made shorter, of all parts, into one file; None if there are none."""
    paths = [file for part in parts if (file := state.parts / f"{part.name}.repairs").exists() and part.num_shortened]
    return write_repairs(path, chain.from_iterable(map(read_repairs, paths))) if paths else None


def reject_from_json(line: str) -> Reject:
    """Return the rejected row that a line of ``rejects.jsonl`` holds."""
    entry = json.loads(line)
    text = base64.b64decode(entry["text_base64"]) if "text_base64" in entry else entry["text"].encode()
    findings = tuple(RejectFinding(**finding) for finding in entry["findings"])
    row_hash = bytes.fromhex(entry["row_hash"])
    return Reject(entry["source_file"], entry["source_line"], row_hash, findings, text)
