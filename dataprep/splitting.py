"""Draw a split so that no picture and no video is on both sides.

Rows that share any media, directly or through other rows, form a group, and whole groups are drawn by the content of
their media. A renamed or copied file is the same medium; the order of the rows does not matter. This takes one pass
over the rows before the conversion, and reads every media file once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from dataprep.blocks import cut_chunks
from dataprep.config import RowConfig
from dataprep.formats.reading import read_record
from dataprep.parsing import parse_row
from dataprep.parts import TRAIN_SPLIT
from dataprep.planning import read_media_file
from dataprep.pool import run_ordered
from dataprep.records import Record, hash_row, hash_text
from dataprep.rules.base import Level
from dataprep.rules.runner import CheckerRecipe, CheckerSet
from dataprep.shards.format import content_hash
from dataprep.sources import RawRow, read_rows


def draw_splits(paths: Iterable[str], config: RowConfig, *, name: str, share: float, jobs: int) -> list[str]:
    """Return the split of every row of some data files, in order.

    Args:
        paths: The data files.
        config: What rows mean and where media lie.
        name: The split to draw; all other rows are in ``train``.
        share: The share of the groups to draw, 0..1.
        jobs: Number of worker processes.
    """
    chunks = (chunk for path in paths for chunk in cut_chunks(read_rows(path)))
    groups = _Groups()
    firsts: list[bytes] = []
    recipe = CheckerRecipe(config, frozenset({Level.SHAPE, Level.TEXT}))
    for digests in run_ordered(_digests_of_chunk, chunks, build=recipe, jobs=jobs):
        for of_row in digests:
            groups.join(of_row)
            firsts.append(of_row[0])
    drawn = (int.from_bytes(groups.find(first)[:8], "big") / 2**64 < share for first in firsts)
    return [name if is_drawn else TRAIN_SPLIT for is_drawn in drawn]


class _Groups:
    """Union-find over content hashes; a group is named by its smallest member."""

    def __init__(self) -> None:
        self._parents: dict[bytes, bytes] = {}

    def find(self, digest: bytes) -> bytes:
        """Return the smallest member of a hash's group."""
        root = digest
        while (parent := self._parents.setdefault(root, root)) != root:
            root = parent
        while self._parents[digest] != root:
            self._parents[digest], digest = root, self._parents[digest]
        return root

    def join(self, digests: tuple[bytes, ...]) -> None:
        """Make one group of the groups of some hashes."""
        roots = {self.find(digest) for digest in digests}
        smallest = min(roots)
        self._parents.update(dict.fromkeys(roots, smallest))


def _digests_of_chunk(checkers: CheckerSet, rows: list[RawRow]) -> list[tuple[bytes, ...]]:
    return [_digests_of_row(checkers, row) for row in rows]


def _digests_of_row(checkers: CheckerSet, raw: RawRow) -> tuple[bytes, ...]:
    """Return the content hash of each of a row's media, or that of the row if it has none."""
    value, problem = parse_row(raw)
    if value is None or problem is not None:
        return (hash_text(raw.text),)
    record, _ = read_record(dict(value), raw.location)
    digests = () if record is None else tuple(_digests_of_media(checkers, record))
    return digests or (hash_row(value),)


def _digests_of_media(checkers: CheckerSet, record: Record) -> Iterator[bytes]:
    media = checkers.for_file(record.location.path).media
    record = media.split_joined(record)
    for ref in (*record.images, *record.videos):
        facts = media.look_up(ref)
        if facts.data is not None:
            yield content_hash(facts.data)
        elif facts.path is not None:  # neither: the media cannot be used, and the row will be rejected for it
            yield _hash_file(facts.path)


@lru_cache(maxsize=100_000)
def _hash_file(path: Path) -> bytes:
    return content_hash(read_media_file(path))
