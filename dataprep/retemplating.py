"""Tokenize the rows of shards again for another model: rows from their data files, media as they are in the shards.

The data files are checked by their hashes; no media file is opened, and media shards are the same files. Where the new
model takes the rows that the first one took, the result is, byte for byte, what a conversion for it writes. A row that
was rejected stays so; a row that the new model does not take is rejected now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.assembly import (
    AssemblyState,
    SamplesTask,
    ShardPlan,
    WrittenFiles,
    cut_samples,
    join_rejects,
    reject_from_json,
    write_ledger,
    write_samples_shard,
)
from dataprep.blocks import cut_chunks
from dataprep.config import ConvertConfig
from dataprep.conversion import BadRowsError
from dataprep.errors import ConfigError, SourceError
from dataprep.manifests import build_manifest
from dataprep.part_builder import PartBuilder
from dataprep.parts import Chunk, Part
from dataprep.planner import Planner, PlanRecipe, hash_checked
from dataprep.pool import open_pool
from dataprep.remasking import absolute_media_root
from dataprep.rewriting import Progress, check_file, new_directory, open_source, take_over
from dataprep.rules.base import CheckedRow
from dataprep.rules.measuring import make_encoder_from
from dataprep.shards.format import CONVERTED, DUPLICATE, LEDGER_NAME, REJECTED, REJECTS_NAME, SAMPLE_OUTCOMES
from dataprep.shards.ledger import LedgerEntry, entries_of, open_ledger
from dataprep.shards.locking import build_in_worker
from dataprep.shards.manifest import Manifest, MediaShard, SourceEntry, write_manifest
from dataprep.shards.reader import Shards, open_shards
from dataprep.shards.samples import LedgerRow, Reject, Sample
from dataprep.shards.storage import require_local
from dataprep.shards.writer import ShardFile
from dataprep.sources import RawRow, read_rows
from dataprep.stored_rows import StoredRowChecker, add_media_findings


@dataclass(frozen=True, kw_only=True, slots=True)
class RetemplateConfig:
    """What shards are to be made for; None keeps what the shards were made with."""

    model: Path
    """Folder with the model's tokenizer."""
    model_type: str | None = None
    """One of the model types."""
    max_length: int | None = None
    """Most tokens of a sample, image tokens included."""
    max_num: int | None = None
    """Most tiles per image, thumbnail not counted."""
    system: str | None = None
    """System prompt of rows that name none; empty is none."""
    box_style: str | None = None
    """``swift`` or ``internvl``."""
    loss_mask: str | None = None
    """``answers`` or ``last-answer``."""
    source_root: Path | None = None
    """Folder that the data files lie under now."""
    on_bad: str = "error"
    """``error`` ends the run if the new model does not take a row; ``skip`` rejects such rows."""
    max_bad_ratio: float = 0.05
    """Largest share of such rows that ``skip`` accepts, 0..1."""
    jobs: int = 1
    """Number of worker processes."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A chunk of rows with what became of each of them, and the text of those that were rejected."""

    chunk: Chunk
    entries: tuple[LedgerEntry, ...]
    rejects: tuple[Reject, ...]


def retemplate(
    source: str | Path,
    out: str | Path,
    config: RetemplateConfig,
    *,
    progress: Progress = lambda stage, done, total: None,
) -> Manifest:
    """Make shards of the same rows and media for another model type, tokenizer or options.

    Args:
        source: Shard directory.
        out: The directory to make.
        config: What for.
        progress: Told how far each stage is.

    Returns:
        The manifest of the new directory.

    Raises:
        BadRowsError: If the new model does not take rows, more than ``on_bad`` and ``max_bad_ratio`` accept.
        SourceError: If a data file is not there or not what it was.
        ConfigError: If the shards hold drawn or shortened rows.
        DataprepError: If shards or options cannot be used.
    """
    shards, out = open_source(source), Path(out)
    manifest, directory = shards.manifest, require_local(shards.directory)
    _refuse_parts_of_rows(directory, manifest)
    options = _options(manifest, config)
    encoder = make_encoder_from(options)
    root = Path(manifest.source_root) if config.source_root is None else config.source_root
    _check_sources(root, manifest.sources, progress)
    with new_directory(out, directory) as work:
        recipe = _Recipe(PlanRecipe(options, work, work), directory)
        with open_pool(build=partial(build_in_worker, work, recipe), jobs=options.jobs) as pool:
            parts, num_rows = [], 0
            for part in pool.run_ordered(_plan_task, _tasks(shards, root)):
                parts.append(part)
                num_rows += part.num_rows
                progress("rows", num_rows, manifest.ledger.rows_in)
            _refuse_bad_rows(parts, manifest, config)
            plan = ShardPlan()
            cut_samples(parts, {part.name: _media_numbers(part) for part in parts}, plan)
            base = absolute_media_root(directory, manifest)
            state = AssemblyState(work, out, Path(base or work), encoder.tokenizer.context_id)
            samples = []
            for file in pool.run_ordered(_write_task, [(state, task) for task in plan.samples]):
                samples.append(file)
                progress("sample shards", len(samples), len(plan.samples))
        written = WrittenFiles(
            media=[_take_media(directory, out, entry) for entry in manifest.media_shards],
            samples=samples,
            ledger=write_ledger(out / LEDGER_NAME, state, parts, plan),
            rejects=join_rejects(out / REJECTS_NAME, state, parts),
        )
        new = build_manifest(
            state,
            plan,
            parts,
            config=options,
            encoder=encoder,
            sources=(root.resolve(), manifest.sources),
            written=written,
        )
        write_manifest(out, new)
    return new


def _refuse_parts_of_rows(directory: Path, manifest: Manifest) -> None:
    """Refuse shards in which a line of a data file and a sample are not one and the same row."""
    if any(entry.sample is not None or entry.weight is not None for entry in manifest.sources):
        reason = "hold some rows of a data file, or some of them several times (#N, --mix)"
    elif manifest.truncation not in ("reject", "error"):
        reason = f"may hold rows that were made shorter (--truncation {manifest.truncation})"
    else:
        return
    raise ConfigError(f"{directory}: the shards {reason}, which retemplate cannot repeat; convert the data again")


def _options(manifest: Manifest, config: RetemplateConfig) -> ConvertConfig:
    def chosen(name: str) -> Any:
        value = getattr(config, name)
        return getattr(manifest, name) if value is None else value

    names = ("model_type", "max_length", "max_num", "box_style", "loss_mask", "system")
    given: dict[str, Any] = {name: chosen(name) for name in names}
    given |= {name: getattr(manifest, name) for name in ("special_text", "exif", "missing_image_tag", "video_frames")}
    given |= {name: getattr(config, name) for name in ("model", "on_bad", "max_bad_ratio", "jobs")}
    return ConvertConfig(**given, media=manifest.media_mode, no_cache=True)


def _check_sources(root: Path, sources: Sequence[SourceEntry], progress: Progress) -> None:
    total = sum(entry.bytes for entry in sources)
    done = 0
    for entry in sources:
        path = root / entry.path
        try:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise SourceError(
                f"{path} cannot be read ({error.strerror}); the rows are tokenized from their data files: "
                "name the folder that they lie in now with --source-root, or convert the data again"
            ) from error
        if digest != entry.sha256:
            raise SourceError(f"{path} is not what the shards were made of; restore it, or convert the data again")
        done += entry.bytes
        progress("data files", done, total)


def _tasks(shards: Shards, root: Path) -> Iterator[_Task]:
    """Yield the rows as a conversion cuts them, each with its line of the ledger."""
    manifest = shards.manifest
    entries = _entries(open_ledger(shards.directory, manifest).checked_batches())
    facts = manifest.files[REJECTS_NAME]
    with check_file(require_local(shards.directory), REJECTS_NAME, facts).open(encoding="utf-8") as lines:
        rejects = map(reject_from_json, lines)
        number = 0
        for source in manifest.sources:
            path = str(root / source.path)
            for rows in cut_chunks(read_rows(path)):
                mine = tuple(entry for _, entry in zip(rows, entries, strict=False))
                _check_lines(source.path, rows, mine)
                rejected = tuple(next(rejects) for entry in mine if entry.outcome == REJECTED)
                chunk = Chunk(number, source.path, tuple(rows), tuple(entry.split for entry in mine))
                yield _Task(chunk, mine, rejected)
                number += 1


def _entries(batches: Iterator[pa.RecordBatch]) -> Iterator[LedgerEntry]:
    for batch in batches:
        yield from entries_of(batch.append_column("number", pa.array(range(batch.num_rows), pa.int64())))


def _check_lines(source: str, rows: Sequence[RawRow], entries: Sequence[LedgerEntry]) -> None:
    places = [(source, row.location.line) for row in rows]
    if places != [(entry.source_file, entry.source_line) for entry in entries]:
        raise SourceError(f"{source}: its rows are not those of the ledger; convert the data again")


@dataclass(frozen=True, slots=True)
class _Recipe:
    """Makes what plans a chunk; picklable."""

    plan: PlanRecipe
    source: Path

    def __call__(self) -> _Replanner:
        planner, shards = self.plan(), open_shards(self.source)
        return _Replanner(planner, shards, StoredRowChecker(shards, planner.checkers))


class _Replanner:
    """Plans chunks of rows that are in shards already; one per process."""

    def __init__(self, planner: Planner, shards: Shards, checker: StoredRowChecker) -> None:
        self.planner = planner
        self.shards = shards
        self.checker = checker
        self.starts = [0]
        for entry in shards.manifest.sample_shards:
            self.starts.append(self.starts[-1] + entry.rows)

    def sample(self, entry: LedgerEntry) -> Sample:
        """Return the sample that a row became."""
        return self.shards[self.starts[entry.shard] + entry.row_in_shard]


class _Builder(PartBuilder):
    """Collects rows whose media have their numbers already."""

    numbers: Sequence[int] = ()

    def take(self, entry: LedgerEntry, reject: Reject | None) -> None:
        """Take over a row that became no sample."""
        row = LedgerRow(entry.source_file, entry.source_line, entry.row_hash, entry.outcome, entry.codes)
        self.num_duplicates += entry.outcome == DUPLICATE
        for code in entry.codes:
            self.by_code[code] = self.by_code.get(code, 0) + 1
        self.ledger.append(row)
        if reject is not None:
            self.rejects.append(reject)

    def _place_media(self, row: CheckedRow) -> list[int]:
        known = self.media.table.numbers
        return [known.setdefault(("stored", number.to_bytes(8, "big")), len(known)) for number in self.numbers]


def _media_numbers(part: Part) -> NDArray[np.int64]:
    return np.array([int(key, 16) for _, key in part.media_keys], dtype=np.int64)


def _plan_task(state: _Replanner, task: _Task) -> Part:
    chunk, rejects = task.chunk, iter(task.rejects)
    pairs = list(zip(chunk.rows, task.entries, strict=True))
    samples = [state.sample(entry) if entry.outcome in SAMPLE_OUTCOMES else None for entry in task.entries]
    plain = [
        (raw, sample)
        for (raw, entry), sample in zip(pairs, samples, strict=True)
        if sample is not None and entry.outcome == CONVERTED
    ]
    checked = iter(state.checker.check([raw for raw, _ in plain], [sample for _, sample in plain]))
    builder = _Builder(state.planner, chunk, f"part-{chunk.number:06d}")
    for (raw, entry), sample in zip(pairs, samples, strict=True):
        repairs: tuple[str, ...] = ()
        if sample is None:
            builder.take(entry, next(rejects) if entry.outcome == REJECTED else None)
            continue
        if entry.outcome == CONVERTED:
            row = next(checked)
        else:
            row, repairs = state.checker.check_repaired(raw, sample, entry.codes)
        if row.value is None or hash_checked(row) != entry.row_hash:
            raise SourceError(f"{raw.location}: not the row that the ledger has; leave data files alone during a run")
        add_media_findings(row, [code for code in entry.codes if code not in repairs])
        builder.numbers = [image.media for image in sample.images]
        builder.add(row, repairs, entry.split)
    return builder.write()


def _write_task(state: _Replanner, task: tuple[AssemblyState, SamplesTask]) -> ShardFile:
    return write_samples_shard(*task)


def _refuse_bad_rows(parts: Sequence[Part], manifest: Manifest, config: RetemplateConfig) -> None:
    """Refuse if more rows than accepted are rejected by the new model; those that were before do not count."""
    rejected = sum(part.num_rejected for part in parts) - manifest.ledger.rejected
    accepted = config.max_bad_ratio if config.on_bad == "skip" else 0.0
    if rejected and rejected / manifest.ledger.rows_in > accepted:
        reasons: dict[str, tuple[int, str]] = {}
        for part in parts:
            for code, (count, text) in part.examples.items():
                seen, first = reasons.get(code, (0, text))
                reasons[code] = (seen + count, first)
        raise BadRowsError(manifest.ledger.rows_in, rejected, reasons, config.on_bad, config.max_bad_ratio)


def _take_media(directory: Path, out: Path, entry: MediaShard) -> ShardFile:
    take_over(directory / entry.file, out / entry.file)
    return ShardFile(file=entry.file, rows=entry.rows, bytes=entry.bytes, sha256=entry.sha256)
