"""Find what occurs twice: the same hash in one column or in two, and perceptual hashes that nearly agree.

Works on numpy columns of 64-bit hashes. Near hashes are found without comparing all pairs: two hashes of 64 bits that
differ in at most 7 bits agree in at least one of 8 bytes, so that only hashes with a byte in common are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.corpus import NO_SIDE, TRAIN_SIDE, VAL_SIDE, Corpus, Facts, MediaColumns
from dataprep.findings import Location

Hashes = NDArray[np.int64]
MOST_DISTANT = 6
"""Bits in which two pictures' perceptual hashes may differ and still be of one picture.

Measured on 115 real photos: JPEG of quality 20, a quarter of the size or 3 % cut off differ in at most 6 bits, two
photos in at least 10 (but for two frames of one chess game, 4), most in 32.
"""
_BANDS = 8
_COMPARED_AT_ONCE = 1 << 20


class _Names:
    """The references of media, cut out of their columns when they are asked for."""

    def __init__(self, media: list[MediaColumns], kept: NDArray[np.int64]) -> None:
        self._kept = kept
        self._text = b"".join(bytes(columns.names) for columns in media)
        lengths = [np.array(columns.name_bytes, dtype=np.int64) for columns in media]
        self._ends = np.cumsum(np.concatenate(lengths)) if lengths else np.empty(0, dtype=np.int64)

    def __getitem__(self, entry: int) -> str:
        entry = int(self._kept[entry])
        start = int(self._ends[entry - 1]) if entry else 0
        return self._text[start : int(self._ends[entry])].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Side:
    """The rows or media of one side of a split, with where each stands.

    Attributes:
        paths: The side's data files.
        files: For each entry the index of its file.
        lines: For each entry its line.
        columns: Columns of the entries, by name.
        names: The references, where the entries are media.
    """

    paths: list[str]
    files: NDArray[np.int64]
    lines: Hashes
    columns: dict[str, NDArray[Any]]
    names: _Names

    def location(self, entry: int) -> Location:
        """Return the row that an entry stands for."""
        return Location(self.paths[int(self.files[entry])], int(self.lines[entry]))


def side_of(corpus: Corpus, *, is_val: bool, part: str, names: tuple[str, ...]) -> Side:
    """Return one side of the split.

    Args:
        corpus: The facts of all rows.
        is_val: Whether the side is that of validation.
        part: ``rows``, or ``media`` for one entry per image and video.
        names: The columns to take along.
    """
    paths = [path for path in corpus.paths if path in corpus.files]
    sources: list[Any] = [corpus.files[path] if part == "rows" else corpus.files[path].media for path in paths]
    counts = [len(source.lines) for source in sources]

    def join(name: str) -> NDArray[Any]:
        columns = [np.array(getattr(source, name)) for source in sources]
        if not columns:  # perceptual hashes alone are unsigned
            return np.empty(0, dtype=np.uint64 if name == "pictures" else np.int64)
        return np.concatenate(columns)

    files = np.repeat(np.arange(len(paths)), counts)
    # A row's own word counts; of other rows the file they stand in.
    given = np.repeat([VAL_SIDE if path in corpus.val_paths else TRAIN_SIDE for path in paths], counts)
    declared = np.concatenate([_sides_of(source) for source in sources]) if sources else np.empty(0, dtype=np.uint8)
    kept = np.flatnonzero(np.where(declared == NO_SIDE, given, declared) == (VAL_SIDE if is_val else TRAIN_SIDE))
    references = _Names([corpus.files[path].media for path in paths] if part == "media" else [], kept)
    return Side(paths, files[kept], join("lines")[kept], {name: join(name)[kept] for name in names}, references)


def _sides_of(columns: Facts | MediaColumns) -> NDArray[np.uint8]:
    return np.array(columns.sides if columns.sides else bytearray(len(columns.lines)), dtype=np.uint8)


def repeats(hashes: Hashes) -> Iterator[tuple[int, int]]:
    """Yield (first, later) entry for every entry whose hash occurred before, in the order of the entries; 0 is none."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(order) else np.empty(0, dtype=bool)
    firsts = order[np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))] if len(order) else order
    later = np.flatnonzero(~starts & (ordered != 0))
    later = later[np.argsort(order[later])]
    for entry, first in zip(order[later], firsts[later], strict=True):
        yield int(first), int(entry)


def disagreements(questions: Hashes, answers: Hashes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (first, other, rows, count) for each question with several answers; 0 is no question.

    ``first`` is its first entry, ``other`` the first one with another answer, ``rows`` the number of its entries and
    ``count`` that of its answers.
    """
    order = np.argsort(questions, kind="stable")
    order = order[questions[order] != 0]
    if not len(order):
        return
    groups = np.flatnonzero(np.diff(questions[order], prepend=0))
    found = []
    for start, end in zip(groups.tolist(), [*groups[1:].tolist(), len(order)], strict=True):
        if end - start > 1:
            entries = order[start:end]
            others = np.flatnonzero(answers[entries] != answers[entries[0]])
            if len(others):
                count = len(np.unique(answers[entries]))
                found.append((int(entries[others[0]]), int(entries[0]), len(entries), count))
    for second, first, rows, count in sorted(found):
        yield first, second, rows, count


def matches(train: Hashes, val: Hashes) -> Iterator[tuple[int, int]]:
    """Yield (train entry, val entry) for every val entry whose hash occurs in train, the first there; 0 is none."""
    known, firsts = np.unique(train, return_index=True)
    places = np.searchsorted(known, val)
    places[places == len(known)] = 0
    found = (known[places] == val) & (val != 0) if len(known) else np.zeros(len(val), dtype=bool)
    for entry in np.flatnonzero(found).tolist():
        yield int(firsts[places[entry]]), entry


def near_matches(train: NDArray[np.uint64], val: NDArray[np.uint64]) -> Iterator[tuple[int, int, int]]:
    """Yield (train entry, val entry, distance) for every val entry with a near perceptual hash in train; 0 is none.

    Of several near ones the nearest is taken, of several such the first.
    """
    best: dict[int, tuple[int, int]] = {}
    train_entries, val_entries = np.flatnonzero(train), np.flatnonzero(val)
    for band in range(_BANDS):
        shift = np.uint64(8 * band)
        train_bytes = (train[train_entries] >> shift) & np.uint64(0xFF)
        val_bytes = (val[val_entries] >> shift) & np.uint64(0xFF)
        for byte in np.unique(val_bytes).tolist():
            ours, theirs = val_entries[val_bytes == byte], train_entries[train_bytes == byte]
            if len(theirs):
                _compare(train, val, theirs, ours, best)
    for entry in sorted(best):
        distance, other = best[entry]
        yield other, entry, distance


def _compare(
    train: NDArray[np.uint64],
    val: NDArray[np.uint64],
    theirs: NDArray[np.int64],
    ours: NDArray[np.int64],
    best: dict[int, tuple[int, int]],
) -> None:
    step = max(1, _COMPARED_AT_ONCE // len(theirs))
    for start in range(0, len(ours), step):
        some = ours[start : start + step]
        distances = _count_bits(val[some][:, None] ^ train[theirs][None, :])
        nearest = distances.argmin(axis=1)
        for row in np.flatnonzero(distances.min(axis=1) <= MOST_DISTANT).tolist():
            found = (int(distances[row, nearest[row]]), int(theirs[nearest[row]]))
            entry = int(some[row])
            best[entry] = min(best.get(entry, found), found)


def _count_bits(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the number of ones in each number (numpy's own function is that of version 2)."""
    pairs = values - ((values >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bytes_ = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    counts: NDArray[np.int64] = ((bytes_ * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)
    return counts
