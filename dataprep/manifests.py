"""Put the manifest of a conversion together: options, fingerprints and totals, from the parts and the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataprep import __version__
from dataprep.assembly import AssemblyState, ShardPlan, WrittenFiles, read_part
from dataprep.config import ConvertConfig
from dataprep.encode import Encoder
from dataprep.fingerprints import describe_tokenizer, fingerprints
from dataprep.parts import Part, SplitCounts
from dataprep.shards.columns import numbers
from dataprep.shards.manifest import (
    FileEntry,
    LedgerTotals,
    LengthStats,
    Manifest,
    MediaShard,
    SampleShard,
    SourceEntry,
    SplitTotals,
    length_stats,
)
from dataprep.shards.writer import ShardFile


def build_manifest(
    state: AssemblyState,
    plan: ShardPlan,
    parts: Sequence[Part],
    *,
    config: ConvertConfig,
    encoder: Encoder,
    sources: tuple[Path, Sequence[SourceEntry]],
    written: WrittenFiles,
) -> Manifest:
    """Return the manifest of finished shards; ``sources`` are their root and what is to be said of each."""
    settings = encoder.settings
    return Manifest(
        tool_version=__version__,
        sources=tuple(sources[1]),
        source_root=sources[0].as_posix(),
        model_type=settings.model_type.name,
        template=settings.template.name,
        tile_size_px=settings.tiles.tile_size_px,
        tokens_per_tile=settings.tiles.tokens_per_tile,
        max_num=settings.max_num,
        max_length=config.max_length,
        truncation=config.truncation,
        box_style=settings.box_style,
        box_family=settings.model_type.box_family,
        exif=config.exif,
        media_mode=config.media,
        media_root=state.media_base.as_posix() if config.media == "link" else None,
        system=config.system,
        video_frames=config.video_frames,
        special_text=config.special_text,
        missing_image_tag=config.missing_image_tag,
        eos_token_id=encoder.tokenizer.encode(settings.template.end)[0],
        context_token_id=encoder.tokenizer.context_id,
        pad_token_id=encoder.tokenizer.pad_id,
        fingerprints=fingerprints(encoder),
        splits=_split_totals(plan),
        sample_shards=tuple(_sample_shard(plan, i, file) for i, file in enumerate(written.samples)),
        media_shards=tuple(MediaShard(file=w.file, rows=w.rows, bytes=w.bytes, sha256=w.sha256) for w in written.media),
        files={
            file.file: FileEntry(bytes=file.bytes, sha256=file.sha256)
            for file in (written.ledger, written.rejects, written.repairs)
            if file is not None
        },
        lengths=_lengths(state, parts),
        ledger=_ledger_totals(parts),
        loss_mask=settings.loss_mask,
        tokenizer=describe_tokenizer(encoder.tokenizer, settings.template.answer_start),
    )


def _sample_shard(plan: ShardPlan, index: int, written: ShardFile) -> SampleShard:
    counts = plan.shard_counts[index]
    assert counts.rows == written.rows
    return SampleShard(
        file=written.file,
        split=plan.samples[index].split,
        rows=counts.rows,
        tokens=counts.tokens,
        trained_tokens=counts.trained_tokens,
        tiles=counts.tiles,
        bytes=written.bytes,
        sha256=written.sha256,
    )


def _split_totals(plan: ShardPlan) -> dict[str, SplitTotals]:
    totals: dict[str, SplitTotals] = {}
    for split in dict.fromkeys(task.split for task in plan.samples):
        of_split = [counts for task, counts in zip(plan.samples, plan.shard_counts, strict=True) if task.split == split]
        total = SplitCounts()
        for counts in of_split:
            total = total.plus(counts)
        totals[split] = SplitTotals(
            rows=total.rows,
            tokens=total.tokens,
            trained_tokens=total.trained_tokens,
            tiles=total.tiles,
            shards=len(of_split),
        )
    return totals


def _lengths(state: AssemblyState, parts: Sequence[Part]) -> LengthStats:
    # Copies: a view would keep every part mapped, which adds up to the memory of all of them.
    columns = [
        numbers(chunk).copy()
        for part in parts
        for chunk in read_part(state.parts / f"{part.name}.samples")["length"].chunks
    ]
    return length_stats(np.concatenate([np.zeros(0, np.int32), *columns]))


def _ledger_totals(parts: Sequence[Part]) -> LedgerTotals:
    by_code: Counter[str] = Counter()
    for part in parts:
        by_code.update(part.by_code)
    num_rows = sum(part.num_rows for part in parts)
    num_rejected = sum(part.num_rejected for part in parts)
    num_repaired = sum(part.num_repaired for part in parts)
    num_duplicates = sum(part.num_duplicates for part in parts)
    num_unsampled = sum(part.num_unsampled for part in parts)
    return LedgerTotals(
        rows_in=num_rows,
        converted=num_rows - num_rejected - num_repaired - num_duplicates - num_unsampled,
        repaired=num_repaired,
        rejected=num_rejected,
        duplicate=num_duplicates,
        unsampled=num_unsampled,
        by_code=dict(sorted(by_code.items())),
    )
