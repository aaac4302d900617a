"""A part: what planning made of one chunk of rows, kept in files until the shards are written.

The files are Arrow in the shard schemas: samples (whose media numbers count within the part), distinct media in order
of first use, ledger lines; and rejects. A summary is written last. A run that was killed finds its parts again by
their key; a part is made anew if a media file behind it changed or could not be used.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from dataprep.findings import Location
from dataprep.shards.atomic import atomic_file
from dataprep.sources import RawRow

TRAIN_SPLIT = "train"
VAL_SPLIT = "val"
NO_SPLIT = ""
"""What stands in place of a split for a row that was not drawn."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One task of the plan stage.

    Attributes:
        number: Position among all chunks.
        source: The data file, relative to the source root.
        rows: Its rows.
        splits: The split of each row, should it be converted; :data:`NO_SPLIT` for one that was not drawn.
    """

    number: int
    source: str
    rows: tuple[RawRow, ...]
    splits: tuple[str, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        """Be sent to a worker as a few lists, not as an object for every row."""
        odd = [(n, row) for n, row in enumerate(self.rows) if row != RawRow(row.location, row.text)]
        lines, texts = [row.location.line for row in self.rows], [row.text for row in self.rows]
        path = self.rows[0].location.path
        split = self.splits if len(set(self.splits)) > 1 else self.splits[0]
        return _unpack_chunk, (self.number, self.source, path, lines, texts, split, odd)


def _unpack_chunk(
    number: int,
    source: str,
    path: str,
    lines: Sequence[int],
    texts: Sequence[bytes],
    split: str | tuple[str, ...],
    odd: Sequence[tuple[int, RawRow]],
) -> Chunk:
    rows = [RawRow(Location(path, line), text) for line, text in zip(lines, texts, strict=True)]
    for place, row in odd:
        rows[place] = row
    return Chunk(number, source, tuple(rows), (split,) * len(rows) if isinstance(split, str) else split)


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """Rows, tokens, trained tokens and tiles of one split within a part."""

    rows: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    tiles: int = 0

    def plus(self, other: SplitCounts) -> SplitCounts:
        """Return the sum of two counts."""
        return SplitCounts(
            self.rows + other.rows,
            self.tokens + other.tokens,
            self.trained_tokens + other.trained_tokens,
            self.tiles + other.tiles,
        )


@dataclass(frozen=True, slots=True)
class Part:
    """What the later stages need to know of a planned chunk.

    Attributes:
        name: Beginning of its file names.
        source: The data file, relative to the source root.
        num_rows: Rows read.
        num_rejected: Rows rejected.
        by_code: Rows that carry each rule code.
        examples: For each code that rejected rows, the number of rows and the first of them in words.
        splits: Counts by split.
        media_keys: Kind and hexadecimal key of each of its media, in order.
        media_bytes: Size of each of them in a media shard.
        num_taken: Rows whose sample was taken over from older shards.
        num_encoded: Rows that were tokenized.
        num_unsampled: Rows that were not drawn.
        num_repaired: Rows that became a sample after a fix or a cut to length.
        num_duplicates: Rows that were left out, because they repeat another.
        num_shortened: Repaired rows that were made shorter.
    """

    name: str
    source: str
    num_rows: int
    num_rejected: int
    by_code: dict[str, int]
    examples: dict[str, tuple[int, str]]
    splits: dict[str, SplitCounts]
    media_keys: list[tuple[str, str]]
    media_bytes: list[int]
    num_taken: int = 0
    num_encoded: int = 0
    num_unsampled: int = 0
    num_repaired: int = 0
    num_duplicates: int = 0
    num_shortened: int = 0


def load_part(summary: Path, key: str) -> Part | None:
    """Return the part that an earlier run left, if it was made from the same rows, options and media.

    Any other part of that name is declared void, so that a kill cannot leave its summary beside newer files.
    """
    if not summary.is_file():
        return None
    try:
        stored = json.loads(summary.read_text(encoding="utf-8"))
    except ValueError:  # the machine lost power before all of it was on the disk
        stored = {"key": ""}
    if stored.pop("key") == key and "files" in stored:
        media, files = stored.pop("media"), stored.pop("files")
        if media == _stamps(media) and files == _hashes(summary.parent, files):
            return _from_json(stored)
    summary.unlink()
    return None


def _hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    hashes = {}
    for name in names:
        with suppress(OSError), (folder / name).open("rb") as stream:
            hashes[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def store_part(summary: Path, part: Part, *, key: str, media_paths: Iterable[str], files: Mapping[str, str]) -> None:
    """Write the summary of a part whose files are complete.

    None of them is forced onto the disk, which would take longer than to make them: the summary holds their hashes.

    Args:
        summary: Where to.
        part: The part.
        key: What it was made from.
        media_paths: Media files behind it.
        files: Name and SHA-256 of each of its files.
    """
    facts = {field.name: getattr(part, field.name) for field in fields(part)}
    splits = {name: asdict(counts) for name, counts in part.splits.items()}
    content = {**facts, "splits": splits, "key": key, "media": _stamps(media_paths), "files": dict(files)}
    with atomic_file(summary, is_durable=False) as file:
        file.write(msgspec.json.encode(content))


def _stamps(paths: Iterable[str]) -> dict[str, list[int]]:
    """Return size and modification time of each file that is there."""
    stamps = {}
    for path in paths:
        with suppress(OSError):
            facts = os.stat(path)  # noqa: PTH116  # three times as fast as by a Path, for every image of every part
            stamps[path] = [facts.st_size, facts.st_mtime_ns]
    return stamps


def _from_json(stored: dict[str, Any]) -> Part:
    stored["splits"] = {name: SplitCounts(**counts) for name, counts in stored["splits"].items()}
    stored["examples"] = {code: (count, text) for code, (count, text) in stored["examples"].items()}
    stored["media_keys"] = [(kind, key) for kind, key in stored["media_keys"]]
    return Part(**stored)
