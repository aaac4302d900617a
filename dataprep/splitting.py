"""Draw splits so that no picture and no video is in two of them, before the conversion and in one pass over the rows.

Every media file is read once, and with ``--split-by picture`` every image decoded, unless the cache remembers it.
:mod:`dataprep.split_sides` says which row goes where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dataprep.blocks import cut_chunks
from dataprep.config import ConvertConfig
from dataprep.formats.reading import read_record
from dataprep.media.index import MediaFacts, MediaIndex
from dataprep.media_placing import read_media_file
from dataprep.parsing import parse_row
from dataprep.parts import TRAIN_SPLIT, VAL_SPLIT
from dataprep.pool import run_ordered
from dataprep.records import Record, hash_row, hash_text
from dataprep.rules.base import Level
from dataprep.rules.frames import video_of
from dataprep.rules.runner import CheckerRecipe, CheckerSet
from dataprep.shards.format import content_hash
from dataprep.shards.ledger import open_ledger
from dataprep.shards.manifest import read_manifest
from dataprep.sources import RawRow, read_rows
from dataprep.split_sides import RowKeys, SplitSides


def draw_splits(
    paths: Sequence[str],
    config: ConvertConfig,
    *,
    val_paths: Sequence[str] = (),
    progress: Callable[[int], None] = lambda size: None,
) -> list[str]:
    """Return the split of every row of some data files, in order; see :meth:`SplitSides.place_all`.

    Args:
        paths: The data files.
        config: What to draw, what rows mean and where media lie.
        val_paths: Data files whose rows are for validation; their media stay there.
        progress: Told how many bytes of rows were read since the last call.
    """
    chunks = (
        _Chunk(rows, VAL_SPLIT if place >= len(paths) else None, config.split_by == "picture")
        for place, path in enumerate([*paths, *val_paths])
        for rows in cut_chunks(read_rows(path))
    )
    recipe = CheckerRecipe(config, frozenset({Level.SHAPE, Level.TEXT}))
    earlier = _earlier_splits(config.split_like) if config.split_like is not None else {}
    keys: list[RowKeys] = []
    num_drawn = 0
    for found, hashes, size, is_val in run_ordered(_read_keys, chunks, build=recipe, jobs=config.jobs):
        keys += (
            key if key.split is not None else key._replace(split=earlier.get(row_hash))
            for key, row_hash in zip(found, hashes, strict=True)
        )
        num_drawn += 0 if is_val else len(found)
        progress(size)
    return SplitSides(config.parse_splits(), rest=TRAIN_SPLIT).place_all(keys)[:num_drawn]


def _earlier_splits(directory: Path) -> dict[bytes, str]:
    """Return the split of each row that is in some shards, by the hash of its content."""
    splits: dict[bytes, str] = {}
    for batch in open_ledger(directory, read_manifest(directory)).checked_batches():
        for row_hash, split in zip(*(batch.column(name).to_pylist() for name in ("row_hash", "split")), strict=True):
            if split:
                splits.setdefault(row_hash, split)
    return splits


@dataclass(frozen=True, slots=True)
class _Chunk:
    rows: list[RawRow]
    split: str | None
    by_picture: bool


def _read_keys(checkers: CheckerSet, chunk: _Chunk) -> tuple[list[RowKeys], list[bytes], int, bool]:
    """Return the keys and hashes of a chunk's rows, its size in bytes, and whether it is for validation."""
    pairs = [_keys_of(checkers, row, chunk) for row in chunk.rows]
    checkers.remember()
    size = sum(len(row.text) + 1 for row in chunk.rows)
    return [keys for keys, _ in pairs], [row_hash for _, row_hash in pairs], size, chunk.split is not None


def _keys_of(checkers: CheckerSet, raw: RawRow, chunk: _Chunk) -> tuple[RowKeys, bytes]:
    value, problem = parse_row(raw)
    if value is None or problem is not None:
        row_hash = hash_text(raw.text)
        return RowKeys((row_hash,), split=chunk.split), row_hash
    row_hash = hash_row(value)
    record, _ = read_record(dict(value), raw.location)
    if record is None:
        return RowKeys((row_hash,), split=chunk.split), row_hash
    media = checkers.for_file(raw.location.path).media
    keys = _MediaKeys(media, by_picture=chunk.by_picture)
    keys.add_all(record)
    digests = tuple(dict.fromkeys(keys.digests)) or (row_hash,)
    split = record.split or chunk.split
    return RowKeys(digests, tuple(keys.pictures), tuple(dict.fromkeys(keys.videos)), split), row_hash


class _MediaKeys:
    """What tells the media of one row apart from those of others."""

    def __init__(self, media: MediaIndex, *, by_picture: bool) -> None:
        self._media = media
        self._by_picture = by_picture
        self.digests: list[bytes] = []
        self.pictures: list[int] = []
        self.videos: list[bytes] = []

    def add_all(self, record: Record) -> None:
        """Take in the media of a record; what cannot be used is left out, and the row will be rejected for it."""
        record = self._media.split_joined(record)
        for ref in (*record.images, *record.videos):
            facts = self._media.look_up(ref)
            if facts.error is None:
                self.digests += self._read(facts)
            if facts.error is None and facts.file is not None and self._by_picture:
                name = video_of(facts.file, is_video=ref.kind == "video")
                self.videos += [] if name is None else [b"video:" + name.encode("utf-8", "surrogateescape")]

    def _read(self, facts: MediaFacts) -> Iterator[bytes]:
        if self._by_picture and facts.ref.kind == "image":
            pixels = self._media.read_pixels(facts)
            if pixels.perceptual_hash is not None:
                self.pictures.append(pixels.perceptual_hash)
            if pixels.content_hash is not None:
                yield pixels.content_hash
        elif facts.data is not None:
            yield content_hash(facts.data)
        elif facts.path is not None:
            yield _hash_file(facts.path)


@lru_cache(maxsize=100_000)
def _hash_file(path: Path) -> bytes:
    return content_hash(read_media_file(path))
