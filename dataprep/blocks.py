"""Cut data files into blocks of rows: whole lines of JSON Lines as one piece of bytes, other rows one by one.

A block is what one task of the linter works on. Where a block ends depends on the file alone, so that findings, and
the order that they come in, never depend on the number of workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from dataprep.errors import SourceError
from dataprep.findings import Location
from dataprep.sources import RawRow, SourceStart, finish_line, open_rows, read_array

LINES_BYTES = 128 << 10
"""Bytes of lines in a block, to the end of the line: few enough to stay in a core's cache while they are scanned."""
SLICE_BYTES = 4 << 20
_FIRST_SLICE_BYTES = 64 << 10  # whoever waits for the first findings shall not wait for thousands of rows
"""Bytes of lines that are one task: enough that handing it over costs nothing beside it."""
_PIECE_BYTES = 16 << 10
CHUNK_ROWS = 512
CHUNK_BYTES = 4 << 20
_VIDEO_WEIGHT_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines of a JSON Lines file.

    Attributes:
        location: Where the first line stands.
        text: The lines, each with its line end, which only the last line of a file may lack.
        starts_with_bom: Whether a byte order mark stood before the first line (it is not part of ``text``).
    """

    location: Location
    text: bytes
    starts_with_bom: bool = False

    def row(self, number: int, line: bytes, *, ends_file: bool) -> RawRow:
        """Return one line of the block as a row; ``number`` counts lines from 0."""
        location = Location(self.location.path, self.location.line + number)
        has_bom = self.starts_with_bom and number == 0
        return RawRow(location, line.rstrip(b"\r"), starts_with_bom=has_bom, ends_file=ends_file)

    def rows(self) -> Iterator[RawRow]:
        """Yield the rows; blank lines are none."""
        lines = self.text.split(b"\n")
        last = len(lines) - 1  # empty where the text ends with a line end
        for number, line in enumerate(lines):
            if line.strip():
                yield self.row(number, line, ends_file=number == last)


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive lines of a plain file that a worker reads for itself: cheaper than to send them.

    Attributes:
        location: Where the first line stands; line 1 where that is not known, but for the first slice of a file.
        offset: Position of that line in the file, in bytes.
        size: Bytes of the lines.
        starts_with_bom: As of :class:`Block`.
        is_numbered: Whether the number of the first line is known.
    """

    location: Location
    offset: int
    size: int
    starts_with_bom: bool = False
    is_numbered: bool = True

    def blocks(self) -> Iterator[Block | list[RawRow]]:
        """Read the lines.

        Raises:
            SourceError: If the file cannot be read any more, or has become shorter.
        """
        path = self.location.path
        try:
            with Path(path).open("rb") as stream:
                stream.seek(self.offset)
                end = self.offset + self.size
                yield from _cut_lines(self.location, b"", stream, has_bom=self.starts_with_bom, end=end)
                if stream.tell() < end:
                    raise SourceError(f"{path}: became shorter while it was read; run the command again")
        except OSError as error:
            raise SourceError(f"{path}: cannot be read any more ({error.strerror}); run the command again") from error

    def place(self, line: int) -> Location:
        """Return where a line of the slice stands in its file, which is read again up to it if need be."""
        if not self.is_numbered:
            with Path(self.location.path).open("rb") as stream:
                # The first slice of a file knows its line.
                line += _count_lines(stream.fileno(), 0, self.offset) - (self.location.line - 1)
        return Location(self.location.path, line)


def read_slices(path: str, *, is_numbered: bool = True) -> Iterator[Slice | Block | list[RawRow]]:
    """Yield all rows of a data file like :func:`read_blocks`, but the lines of a plain file as slices.

    Args:
        path: The data file.
        is_numbered: Whether slices need to know their line: the file is read to count them then, else only cut.

    Raises:
        SourceError: If the file cannot be opened or read.
    """
    if path.endswith((".gz", ".zst")) or not Path(path).is_file():
        yield from read_blocks(path)
        return
    with open_rows(path) as start:
        if start.foreign or start.is_array:
            yield from _cut_rest(start)
            return
        location, has_bom, descriptor = start.location, start.has_bom, start.stream.fileno()
        offset = start.stream.tell() - len(start.line)
        size = min(_FIRST_SLICE_BYTES, SLICE_BYTES)
        while (end := _find_line_end(descriptor, offset + size)) > offset:
            yield Slice(location, offset, end - offset, has_bom, is_numbered)
            size = min(2 * size, SLICE_BYTES)
            line = location.line + _count_lines(descriptor, offset, end) if is_numbered else 1
            location, offset, has_bom = Location(path, line), end, False


def _find_line_end(descriptor: int, position: int) -> int:
    """Return the position behind the line end at or after a position of a file; that of its end if there is none."""
    while piece := os.pread(descriptor, _PIECE_BYTES, position):
        place = piece.find(b"\n")
        if place >= 0:
            return position + place + 1
        position += len(piece)
    return min(position, os.fstat(descriptor).st_size)


def _count_lines(descriptor: int, start: int, end: int) -> int:
    count = 0
    while start < end and (piece := os.pread(descriptor, min(end - start, SLICE_BYTES), start)):
        count, start = count + count_line_ends(piece), start + len(piece)
    return count


def read_blocks(path: str) -> Iterator[Block | list[RawRow]]:
    """Yield all rows of a data file in order, as blocks of lines or, from an array or too long, as lists of rows.

    Raises:
        SourceError: If the file cannot be opened or read.
    """
    with open_rows(path) as start:
        yield from _cut_rest(start)


def _cut_rest(start: SourceStart) -> Iterator[Block | list[RawRow]]:
    if start.foreign:
        yield [start.foreign_row()]
    elif start.is_array:
        yield from cut_chunks(read_array(start))
    else:
        yield from _cut_lines(start.location, start.line, start.stream, has_bom=start.has_bom)


def _cut_lines(
    start: Location, head: bytes, stream: BinaryIO, *, has_bom: bool, end: int | None = None
) -> Iterator[Block | list[RawRow]]:
    """Cut lines from a stream; those behind the position ``end``, with which a line ends, stay in it."""
    number = start.line
    while text := head + stream.read(max(0, _most_bytes(stream, end) - len(head))):
        if not text.endswith(b"\n"):
            cut = text.rfind(b"\n") + 1
            line, is_too_long = finish_line(text[cut:], stream)
            text = text[:cut]
            if is_too_long:
                if text:
                    yield Block(Location(start.path, number), text, starts_with_bom=has_bom)
                    number += count_line_ends(text)
                row = RawRow(Location(start.path, number), line, has_bom and not text, is_too_long=True)
                yield [row]
                number, head, has_bom = number + 1, b"", False
                continue
            text += line
        yield Block(Location(start.path, number), text, starts_with_bom=has_bom)
        number += count_line_ends(text)
        head, has_bom = b"", False


def _most_bytes(stream: BinaryIO, end: int | None) -> int:
    return LINES_BYTES if end is None else min(LINES_BYTES, end - stream.tell())


def line_behind(chunk: Block | list[RawRow]) -> int:
    """Return the number of the line behind a block."""
    if isinstance(chunk, list):
        return chunk[-1].location.line + 1
    return chunk.location.line + count_line_ends(chunk.text) + (not chunk.text.endswith(b"\n"))


def count_line_ends(text: bytes) -> int:
    """Return the number of line ends; numpy counts many times faster, but is not loaded for a small file."""
    if len(text) < LINES_BYTES:
        return text.count(b"\n")
    import numpy as np

    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == 10))


def cut_chunks(rows: Iterable[RawRow]) -> Iterator[list[RawRow]]:
    """Yield rows in lists that are small enough to hand to a worker; where they end depends on the rows alone."""
    rows = iter(rows)
    while chunk := list(islice(rows, 1)):
        size = _weigh(chunk[0])
        while len(chunk) < CHUNK_ROWS and size < CHUNK_BYTES:
            more = next(rows, None)
            if more is None:
                break
            chunk.append(more)
            size += _weigh(more)
        yield chunk


def _weigh(row: RawRow) -> int:
    # The frames of a video are held until the chunk is done: fewer of such rows make a chunk.
    return len(row.text) + (_VIDEO_WEIGHT_BYTES if b"video" in row.text else 0)
