"""Change which tokens of shards carry loss: new labels from the ids alone; no text, tokenizer or media is looked at.

Media shards, ledger and rejects are the same files. The result is, byte for byte, what a conversion of the same rows
with the other mask writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep import __version__
from dataprep.errors import ConfigError, ShardError
from dataprep.fingerprints import label_fingerprint, seal_fingerprints
from dataprep.loss_masks import keep_last_answers, label_answers
from dataprep.rewriting import Progress, check_file, new_directory, open_source, take_over
from dataprep.shards.arrow_file import ArrowTable
from dataprep.shards.columns import numbers
from dataprep.shards.flat import id_lists
from dataprep.shards.format import IGNORE_INDEX, LOSS_ANSWERS, LOSS_MASKS, SAMPLES_SCHEMA
from dataprep.shards.manifest import FileEntry, Fingerprints, Manifest, SampleShard, write_manifest
from dataprep.shards.storage import require_local
from dataprep.shards.writer import write_arrow


def remask(
    source: str | Path,
    out: str | Path,
    loss_mask: str,
    *,
    progress: Progress = lambda stage, done, total: None,
) -> Manifest:
    """Make shards with the same samples and another loss mask.

    Args:
        source: Shard directory.
        out: The directory to make.
        loss_mask: ``answers`` or ``last-answer``.
        progress: Told how many shards are done.

    Returns:
        The manifest of the new directory.

    Raises:
        ConfigError: If the mask is unknown or that of the shards, or the output folder cannot be used.
        ShardError: If the shards are damaged, do not account for every row, or lack what the mask needs.
    """
    shards, out = open_source(source), Path(out)
    manifest, directory = shards.manifest, require_local(shards.directory)
    _check_mask(directory, manifest, loss_mask)
    entries: list[SampleShard] = []
    with new_directory(out, directory):
        for entry in manifest.sample_shards:
            entries.append(_write(directory, out, entry, manifest, loss_mask))
            progress("sample shards", len(entries), len(manifest.sample_shards))
        for media in manifest.media_shards:
            take_over(directory / media.file, out / media.file)
        for name, facts in manifest.files.items():
            take_over(check_file(directory, name, facts), out / name)
        made = _describe(directory, manifest, entries, loss_mask)
        write_manifest(out, made)
    return made


def _check_mask(directory: Path, manifest: Manifest, loss_mask: str) -> None:
    if loss_mask not in LOSS_MASKS:
        raise ConfigError(f"--loss-mask is {loss_mask!r}, expected {' or '.join(LOSS_MASKS)}")
    if loss_mask == manifest.loss_mask:
        raise ConfigError(f"{directory} has the loss mask {loss_mask} already; use it as it is")
    if manifest.loss_mask != LOSS_ANSWERS and (manifest.tokenizer is None or manifest.special_text == "keep"):
        reason = "their text may spell the tokens of turns" if manifest.tokenizer else "their manifest is too old"
        raise ShardError(f"{directory}: the answers cannot be told from the ids, as {reason}; convert the data again")


def _write(directory: Path, out: Path, entry: SampleShard, manifest: Manifest, loss_mask: str) -> SampleShard:
    path = check_file(directory, entry.file, FileEntry(bytes=entry.bytes, sha256=entry.sha256))
    trained = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal trained
        for batch in ArrowTable(path, SAMPLES_SCHEMA, entry.rows).checked_batches():
            changed, count = _with_labels(batch, manifest, loss_mask)
            trained += count
            yield changed

    written = write_arrow(out / entry.file, SAMPLES_SCHEMA, batches())
    return replace(entry, trained_tokens=trained, bytes=written.bytes, sha256=written.sha256)


def _with_labels(batch: pa.RecordBatch, manifest: Manifest, loss_mask: str) -> tuple[pa.RecordBatch, int]:
    """Return a batch with its labels as the mask wants them, and how many are trained."""
    column = batch.column("input_ids")
    offsets = numbers(column.offsets).astype(np.int64)
    ids = numbers(column.values)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    before = batch.column("labels").flatten().to_numpy()
    if manifest.loss_mask == LOSS_ANSWERS:
        labels = keep_last_answers(before, offsets)
    else:
        labels = _all_answers(ids, before, offsets, manifest)
    counts = np.diff(np.concatenate(([0], np.cumsum(labels != IGNORE_INDEX)))[offsets]).astype(np.int32)
    columns = {"labels": id_lists(offsets, labels), "num_trained_tokens": pa.array(counts)}
    for name, values in columns.items():
        index = SAMPLES_SCHEMA.get_field_index(name)
        batch = batch.set_column(index, SAMPLES_SCHEMA.field(index), values)
    return batch, int(counts.sum())


def _all_answers(
    ids: NDArray[np.int32], before: NDArray[np.int32], offsets: NDArray[np.int64], manifest: Manifest
) -> NDArray[np.int32]:
    assert manifest.tokenizer is not None
    starts = manifest.tokenizer.answer_start_ids
    labels = label_answers(ids, offsets, answer_start_ids=starts, end_id=manifest.eos_token_id)
    if not np.array_equal(keep_last_answers(labels, offsets), before):
        raise ShardError(
            "the last answers found by their tokens are not those that the labels train; convert the data again"
        )
    return labels


def _describe(directory: Path, manifest: Manifest, entries: list[SampleShard], loss_mask: str) -> Manifest:
    prints = asdict(manifest.fingerprints) | {"labels": label_fingerprint(loss_mask)}
    del prints["all"]
    sealed: Fingerprints = seal_fingerprints(prints)
    trained = dict.fromkeys(manifest.splits, 0)
    for entry in entries:
        trained[entry.split] += entry.trained_tokens
    return replace(
        manifest,
        tool_version=__version__,
        media_root=absolute_media_root(directory, manifest),
        loss_mask=loss_mask,
        fingerprints=sealed,
        sample_shards=tuple(entries),
        splits={name: replace(total, trained_tokens=trained[name]) for name, total in manifest.splits.items()},
    )


def absolute_media_root(directory: Path, manifest: Manifest) -> str | None:
    """Return the folder of linked media for a manifest that lies elsewhere."""
    if manifest.media_root is None or Path(manifest.media_root).is_absolute():
        return manifest.media_root
    return (directory / manifest.media_root).resolve().as_posix()
