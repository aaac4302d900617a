"""What the ledger of a shard directory says, for people and as JSON-ready values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataprep.reports.visible import plain
from dataprep.rules.table import RULES
from dataprep.shards.format import KIND_FRAME
from dataprep.shards.ledger import LedgerEntry, LedgerReport
from dataprep.shards.samples import Media, SampleImage
from dataprep.shards.stories import RowStory


def ledger_object(report: LedgerReport) -> dict[str, Any]:
    """Return the totals as JSON-ready values."""
    return {
        "ok": report.ok,
        "rows_in": report.rows_in,
        **report.outcomes,
        "codes": _code_objects(report.codes),
        "sources": [
            {"path": source.path, "rows": source.rows, **source.outcomes, "codes": _code_objects(source.codes)}
            for source in report.sources
        ],
        "problems": list(report.problems),
    }


def _code_objects(codes: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    return [{"outcome": outcome, "code": code, "rows": count} for (outcome, code), count in sorted(codes.items())]


def entry_object(entry: LedgerEntry) -> dict[str, Any]:
    """Return one row of the ledger as JSON-ready values."""
    return {
        "source_file": entry.source_file,
        "source_line": entry.source_line,
        "row_hash": entry.row_hash.hex(),
        "outcome": entry.outcome,
        "codes": list(entry.codes),
        "split": entry.split,
        "shard": entry.shard,
        "row_in_shard": entry.row_in_shard,
    }


def story_object(story: RowStory) -> dict[str, Any]:
    """Return the story of a row as JSON-ready values."""
    sample = story.sample
    return entry_object(story.entry) | {
        "findings": [{"code": f.code, "field": f.field, "message": f.message} for f in story.findings],
        "text": story.text or None,
        "shard_file": story.shard_file,
        "length_before": None if story.repair is None else story.repair.tokens_before,
        "length": None if sample is None else len(sample.input_ids),
        "num_trained_tokens": None if sample is None else _trained(story),
        "tiles": None if sample is None else sum(image.tiles for image in sample.images),
        "media": [_media_object(image, media) for image, media in story.media],
        "kept": None if story.kept is None else entry_object(story.kept),
    }


def _trained(story: RowStory) -> int:
    assert story.sample is not None
    return int((story.sample.labels != -100).sum())


def _media_object(image: SampleImage, media: Media) -> dict[str, Any]:
    return {
        "number": image.media,
        "kind": image.kind,
        "path": media.path,
        "hash": None if media.hash is None else media.hash.hex(),
        "format": media.format,
        "width": image.width,
        "height": image.height,
        "columns": image.columns,
        "rows": image.rows,
        "tiles": image.tiles,
        "video": image.video,
        "frame_index": image.frame_index,
    }


def ledger_lines(report: LedgerReport) -> Iterator[str]:
    """Yield the totals, one line after another."""
    outcomes = report.outcomes
    yield _sum(sum(outcomes.values()), outcomes)
    for source in report.sources:
        yield f"{plain(source.path)}: {_sum(source.rows, source.outcomes)}"
        for (outcome, code), count in sorted(source.codes.items(), key=lambda item: (-item[1], item[0])):
            yield f"  {count:>9,} {outcome:<9}  {code}{_name(code)}"
    for problem in report.problems:
        yield f"does not add up: {plain(problem)}"


def _sum(rows: int, outcomes: dict[str, int]) -> str:
    return f"{rows:,} rows in = " + " + ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())


def _name(code: str) -> str:
    return f" {RULES[code].name}" if code in RULES else ""


def entry_line(entry: LedgerEntry) -> str:
    """Return one row of the ledger as one line that begins with its place."""
    words = [f"{plain(entry.source_file)}:{entry.source_line}: {entry.outcome}", *map(plain, entry.codes)]
    return " ".join(words)


def story_lines(story: RowStory) -> Iterator[str]:
    """Yield the story of a row, one line after another."""
    entry = story.entry
    yield f"{plain(entry.source_file)}:{entry.source_line}: {entry.outcome}"
    yield f"  row hash  {entry.row_hash.hex()}"
    told = {finding.code for finding in story.findings}
    for finding in story.findings:
        field = f"{plain(finding.field)}: " if finding.field else ""
        yield f"  {plain(finding.code)}{_name(finding.code)}: {field}{plain(finding.message)}"
    for code in (code for code in entry.codes if code not in told):
        yield f"  {plain(code)}{_name(code)}: 'dataprep lint' on the file says where"
    if story.text:
        yield f"  text      {plain(story.text)}"
    if story.kept is not None:
        yield f"  equal to  {plain(story.kept.source_file)}:{story.kept.source_line}, which is in"
    if story.sample is not None:
        yield from _sample_lines(story)


def _sample_lines(story: RowStory) -> Iterator[str]:
    sample, entry = story.sample, story.entry
    assert sample is not None
    place = f"row {entry.row_in_shard:,} of {story.shard_file}, row {sample.row:,} of all"
    yield f"  sample    {place}; split {plain(entry.split)}"
    tiles = sum(image.tiles for image in sample.images)
    if story.repair is not None:
        yield f"  before    {story.repair.tokens_before:,} tokens; --truncation {plain(story.repair.policy)}"
    yield f"  tokens    {len(sample.input_ids):,}, {_trained(story):,} of them trained; {tiles:,} tiles"
    for image, media in story.media:
        yield f"  {image.kind:<9} {_media_words(image, media)}"
    yield f"  response  {plain(sample.response)}"


def _media_words(image: SampleImage, media: Media) -> str:
    name = "without a file" if media.path is None else plain(media.path)
    frame = f" frame {image.frame_index}" if image.kind == KIND_FRAME else ""
    grid = f"{image.tiles} tiles ({image.columns} x {image.rows})"
    return f"{name}{frame}: {plain(media.format)} {image.width}x{image.height}, {grid}; media row {image.media:,}"
