"""Draw a few rows from data files: always the same ones, whatever the order of rows and files."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dataprep.sources import RawRow, read_rows


@dataclass(frozen=True, slots=True)
class DrawnRows:
    """Rows that were drawn.

    Attributes:
        rows: The rows, in the order in which they were read.
        num_rows: How many rows they were drawn from.
    """

    rows: list[RawRow]
    num_rows: int

    def cut_by_file(self) -> Iterator[list[RawRow]]:
        """Yield the rows of one data file after the other."""
        rows = self.rows
        while rows:
            path = rows[0].location.path
            inside = [row for row in rows if row.location.path == path]
            yield inside
            rows = rows[len(inside) :]


def text_key(text: bytes) -> bytes:
    """Return 8 bytes that depend on the text of a row alone: rows with the smallest of them are drawn."""
    return hashlib.blake2b(text, digest_size=8).digest()


def draw_rows(paths: Iterable[str], size: int) -> DrawnRows:
    """Read data files and keep the rows with the smallest hashes; memory holds ``size`` rows.

    A row is drawn for its text, not for its place: appending rows or moving them changes little of what is drawn.
    Rows with the same text stand or fall together, but for the last of them.

    Raises:
        SourceError: If a file cannot be read.
    """
    heap: list[tuple[bytes, int, RawRow]] = []
    number = 0
    for path in paths:
        for row in read_rows(path):
            number += 1
            # Inverted, because a heap gives up its smallest entry; earlier of equal rows win.
            key = bytes(255 - byte for byte in text_key(row.text))
            entry = (key, -number, row)
            if len(heap) < size:
                heapq.heappush(heap, entry)
            elif entry[:2] > heap[0][:2]:
                heapq.heapreplace(heap, entry)
    return DrawnRows([row for _, _, row in sorted(heap, key=lambda entry: -entry[1])], number)
