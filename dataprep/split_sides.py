"""Give rows to splits so that no medium is in two of them, and so that a row that has its place never moves.

Rows are placed one after another. A row of media that were not met before goes where the content of its first medium
says, and takes all of its media along; a row with media that have their split goes there, too. A row whose media stand
in several splits bridges them: it can go to none of them without a leak, and is left out. So whatever comes behind a
row changes nothing about it, and a row whose media no other row has goes by its own content, wherever it stands.

An order is needed: no rule that looks at each picture alone can keep near pictures together, since any two pictures
are joined by a chain of near ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dataprep.near_pictures import NearPictures

BRIDGE = "+"
"""Joins the names of the splits that a row bridges; no name has it."""


class RowKeys(NamedTuple):
    """What decides about the place of a row.

    Attributes:
        digests: Content hashes of its media in order, or that of the row if it has none; at least one.
        pictures: Perceptual hashes of its images, as far as they have one.
        videos: Names of the videos that its media are, or are frames of.
        split: The split that it has whatever its media are; None if one is to be found.
    """

    digests: tuple[bytes, ...]
    pictures: tuple[int, ...] = ()
    videos: tuple[bytes, ...] = ()
    split: str | None = None


class SplitSides:
    """Which split each medium is in.

    Args:
        shares: Name and share of each split to draw; what they leave is the rest's.
        rest: The split of all other rows.
    """

    def __init__(self, shares: Sequence[tuple[str, float]], *, rest: str) -> None:
        self._shares = shares
        self._rest = rest
        self._splits: dict[bytes, str] = {}
        self._pictures: dict[str, NearPictures] = {}

    def place_all(self, rows: Iterable[RowKeys]) -> list[str]:
        """Return the split of each row in order; several names joined by ``BRIDGE`` where it bridges them.

        Rows that have their split come first, wherever they stand; they are not held against each other.
        """
        rows = list(rows)
        for row in rows:
            if row.split is not None:
                self._take(row, row.split)
        return [self._place(row) if row.split is None else row.split for row in rows]

    def _place(self, row: RowKeys) -> str:
        found = self._find(row)
        if len(found) > 1:
            return BRIDGE.join(sorted(found))
        split = found.pop() if found else self._draw(row.digests[0])
        self._take(row, split)
        return split

    def _draw(self, digest: bytes) -> str:
        place = int.from_bytes(digest[:8], "big") / 2**64
        for name, share in self._shares:
            if place < share:
                return name
            place -= share
        return self._rest

    def _find(self, row: RowKeys) -> set[str]:
        """Return the splits that the media of a row are in."""
        known_as = (self._splits[key] for key in (*row.digests, *row.videos) if key in self._splits)
        found = {name for names in known_as for name in names.split(BRIDGE)}
        for picture in row.pictures:
            found |= {name for name, known in self._pictures.items() if name not in found and known.has_near(picture)}
        return found

    def _take(self, row: RowKeys, split: str) -> None:
        for key in (*row.digests, *row.videos):
            known = self._splits.setdefault(key, split)
            if known != split:  # rows that declare their splits may leak
                self._splits[key] = BRIDGE.join(sorted({*known.split(BRIDGE), split}))
        if row.pictures:
            pictures = self._pictures.setdefault(split, NearPictures())
            for picture in row.pictures:
                pictures.add(picture)
