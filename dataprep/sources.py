"""Read JSON Lines and JSON arrays, row by row, with the place of every row and in bounded memory.

``read_rows`` only cuts a file into the bytes of its rows; :mod:`dataprep.parsing` turns those bytes into a value or
says why it cannot. Nothing is skipped but blank lines: a row that cannot be parsed is still a row, and so is one that
is too long to be held in memory. Plain, ``.gz`` and ``.zst`` files, pipes and standard input (``-``) are read alike.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from dataprep.data_files import open_data_file
from dataprep.elements import cut_elements
from dataprep.findings import Location
from dataprep.foreign import describe_foreign_data

MAX_ROW_BYTES = 256 << 20
"""Most bytes of a row, its line end included; of longer ones only the beginning is kept."""
_KEPT_BYTES = 4 << 10
_CHUNK_BYTES = 1 << 20
_MOST_CHUNK_BYTES = 32 << 20
_ELEMENTS_ALONE = 200  # cut one by one where many at once could not be, because one of them is broken
_NO_SPACE = re.compile(rb"[^ \t\r\n]")
_STRUCTURE = re.compile(rb'["\[\]{},]')
_STRING_PART = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)  # possessive: nothing is kept to come back to


@dataclass(frozen=True, slots=True)
class RawRow:
    """The bytes of one row.

    Attributes:
        location: Where it stands.
        text: The row as found, without the line end.
        starts_with_bom: Whether a byte order mark stood before it (it is not part of ``text``).
        ends_file: Whether the file ended behind it without a line end.
        is_unclosed: Whether the array around it never closes.
        foreign: What the file is, if it holds no rows at all; nothing more is read of it then.
        is_too_long: Whether it is longer than :data:`MAX_ROW_BYTES`; ``text`` is only its beginning then.
    """

    location: Location
    text: bytes
    starts_with_bom: bool = False
    ends_file: bool = False
    is_unclosed: bool = False
    foreign: str = ""
    is_too_long: bool = False


@dataclass(frozen=True, slots=True)
class SourceStart:
    """The beginning of a data file.

    Attributes:
        location: Where its first row stands, or the bracket before that.
        line: The first line that is not blank; of an array, or of a very long line, only its beginning.
        stream: What follows it.
        has_bom: Whether a byte order mark stood before the line.
        is_array: Whether the file holds a JSON array, not JSON Lines.
        foreign: What the file is, if it holds no rows at all.
    """

    location: Location
    line: bytes
    stream: BinaryIO
    has_bom: bool
    is_array: bool
    foreign: str = ""

    def foreign_row(self) -> RawRow:
        """Return the one row that stands for a file without rows."""
        return RawRow(self.location, self.line.rstrip(b"\r\n"), self.has_bom, foreign=self.foreign)


@contextmanager
def open_rows(path: str) -> Iterator[SourceStart]:
    """Open a data file and find its first row.

    Args:
        path: A ``.jsonl`` or ``.json`` file, also compressed; ``-`` is standard input.

    Raises:
        SourceError: If the file cannot be opened or read, now or while the context lasts.
    """
    with open_data_file(path) as stream:
        # An array may be one line of any length: no more of it is read than is needed to tell.
        line = stream.readline(_CHUNK_BYTES)
        has_bom = line.startswith(codecs.BOM_UTF8)
        line, blank = line.removeprefix(codecs.BOM_UTF8), 0
        while line and not line.strip():
            blank += line.count(b"\n")
            line = stream.readline(_CHUNK_BYTES)
        foreign = describe_foreign_data(line, _peek(stream)) if line else None
        is_array = _begins_array(path, line)
        yield SourceStart(Location(path, 1 + blank), line, stream, has_bom, is_array, foreign or "")


def read_rows(path: str) -> Iterator[RawRow]:
    """Yield every row of a data file in order; see :func:`open_rows`."""
    with open_rows(path) as start:
        if start.foreign:
            yield start.foreign_row()
        else:
            yield from read_array(start) if start.is_array else _mark_bom(start, _read_lines(start))


def _mark_bom(start: SourceStart, rows: Iterator[RawRow]) -> Iterator[RawRow]:
    for index, row in enumerate(rows):
        yield replace(row, starts_with_bom=True) if start.has_bom and index == 0 else row


def _peek(stream: BinaryIO) -> bytes:
    """Return some of the bytes to come without taking them; none where the stream cannot look ahead."""
    return stream.peek(1) if isinstance(stream, io.BufferedReader) else b""


def _begins_array(path: str, line: bytes) -> bool:
    name = Path(path).name.removesuffix(".gz").removesuffix(".zst")
    text = line.strip()
    if not text:
        return name.endswith(".json")  # an empty .json file is an array cut off at its beginning
    if name.endswith(".jsonl"):
        # A line that is an array of its own is a bad row here; one that only opens an array begins one.
        return text.startswith(b"[") and line.endswith(b"\n") and not text.endswith(b"]")
    return text.startswith(b"[")


def finish_line(head: bytes, stream: BinaryIO) -> tuple[bytes, bool]:
    """Read on to the end of a line.

    Args:
        head: The beginning of the line, as far as it has been read; not yet its end.
        stream: What follows.

    Returns:
        The line with its end and False, or the beginning of a line above :data:`MAX_ROW_BYTES` and True.
    """
    line = head + stream.readline(max(0, MAX_ROW_BYTES + 1 - len(head)))
    if len(line) <= MAX_ROW_BYTES:
        return line, False
    kept, rest = line[:_KEPT_BYTES], line[-1:]
    del line  # not held while the rest goes by
    while rest and not rest.endswith(b"\n"):
        rest = stream.readline(_CHUNK_BYTES)
    return kept, True


def _read_lines(start: SourceStart) -> Iterator[RawRow]:
    number, path, line, stream = start.location.line, start.location.path, start.line, start.stream
    line, is_too_long = (line, False) if line.endswith(b"\n") else finish_line(line, stream)
    while line:
        text = line.rstrip(b"\r\n")
        if is_too_long:
            yield RawRow(Location(path, number), text, is_too_long=True)
        elif text.strip():
            yield RawRow(Location(path, number), text, ends_file=not line.endswith(b"\n"))
        line, is_too_long = finish_line(b"", stream)
        number += 1


class _ArrayScanner:
    """Cut the elements out of a JSON array, keeping little more than the current one in memory.

    Attributes:
        beginning: The first bytes of the current element, if it is too long to be kept; the buffer holds only what
            is left of it then.
    """

    def __init__(self, start: Location, buffer: bytes, stream: BinaryIO) -> None:
        self.path = start.path
        self.stream = stream
        self.buffer = buffer
        self.position = 0
        self.beginning = b""
        self._line = start.line
        self._counted = 0  # where line ends have been counted up to

    def fill(self) -> bool:
        """Append a chunk to the buffer; return whether there was one."""
        # As much again as is held: an element of any size is scanned a bounded number of times.
        chunk = self.stream.read(min(max(_CHUNK_BYTES, len(self.buffer)), _MOST_CHUNK_BYTES))
        self.buffer += chunk
        return bool(chunk)

    def location(self) -> Location:
        """Return the place of the current position."""
        self._line += self.buffer.count(b"\n", self._counted, self.position)
        self._counted = self.position
        return Location(self.path, self._line)

    def skip_space(self) -> bytes:
        """Move to the next byte that is no white space and return it; empty at the end of the file."""
        while True:
            match = _NO_SPACE.search(self.buffer, self.position)
            self.position = match.start() if match else len(self.buffer)
            if 2 * self.position > len(self.buffer):
                self._forget()  # by halves, so that what is kept is not copied for every element
            if match:
                return match[0]
            if not self.fill():
                return b""

    def _forget(self) -> None:
        """Drop what lies before the current position."""
        self.location()
        self.buffer = self.buffer[self.position :]
        self.position = self._counted = 0

    def cut_whole(self) -> Iterator[RawRow]:
        """Yield the objects from the current position on that a parser finds whole, and move behind them."""
        if len(self.buffer) - self.position < _CHUNK_BYTES // 2:
            self.fill()
        base = self.position
        text = self.buffer[base : base + _CHUNK_BYTES]
        places, following = cut_elements(text)
        for start, end in places:
            self.position = base + start
            yield RawRow(self.location(), text[start:end])
        self.position = base + following

    def find_end(self) -> int | None:
        """Return where the element at the current position ends; None if the file ends first."""
        depth, at = 0, self.position
        self.beginning = b""
        while True:
            match = _STRUCTURE.search(self.buffer, at)
            if match is None:
                more = self._fill_behind(len(self.buffer))
                if more is None:
                    return None
                at = more
                continue
            symbol, at = match[0], match.end()
            if symbol == b'"':
                end = self._find_string_end(at)
                if end is None:
                    return None
                at = end
            elif symbol in b"[{":
                depth += 1
            elif depth == 0 and symbol != b"}":  # a brace that closes nothing is part of a broken element
                return match.start()
            elif symbol in b"]}":
                depth = max(depth - 1, 0)

    def _find_string_end(self, at: int) -> int | None:
        """Return the position behind the string whose inside begins at ``at``; None if the file ends first."""
        more: int | None = at
        while more is not None:
            match = _STRING_PART.match(self.buffer, more)
            assert match is not None  # of no characters at least
            if self.buffer.startswith(b'"', match.end()):
                return match.end() + 1
            more = self._fill_behind(match.end())
        return None

    def _fill_behind(self, at: int) -> int | None:
        """Fetch more of the current element, which has been scanned up to ``at``.

        Returns:
            Where ``at`` lies now; None if there is no more.
        """
        if len(self.buffer) - self.position > MAX_ROW_BYTES or self.beginning:
            self.beginning = self.beginning or self.buffer[self.position : self.position + _KEPT_BYTES]
            self.position = at
            self._forget()
            at = 0
        return at if self.fill() else None


def read_array(start: SourceStart) -> Iterator[RawRow]:
    """Yield the elements of the array that a data file holds."""
    return _mark_bom(start, _read_elements(start))


def _read_elements(start: SourceStart) -> Iterator[RawRow]:
    scanner = _ArrayScanner(start.location, start.line, start.stream)
    scanner.skip_space()
    scanner.position += 1  # the opening bracket
    follows_comma, num_alone = False, 0
    while True:
        symbol = scanner.skip_space()
        if symbol == b"{" and num_alone == 0:
            rows = list(scanner.cut_whole())
            if rows:
                yield from rows
                follows_comma = True
                continue
            num_alone = _ELEMENTS_ALONE
        num_alone = max(0, num_alone - 1)
        location = scanner.location()
        if symbol == b"]" and not follows_comma:
            break
        end = scanner.find_end()
        if end is None:
            # An array that never closes: what is left is one broken row, so that nothing is lost.
            yield _element(scanner, location, len(scanner.buffer), is_unclosed=True)
            return
        yield _element(scanner, location, end)
        follows_comma = scanner.buffer[end : end + 1] == b","
        scanner.position = end + follows_comma
    scanner.position += 1
    if scanner.skip_space():
        location = scanner.location()
        text = scanner.buffer[scanner.position :] + scanner.stream.read(MAX_ROW_BYTES)
        is_too_long = len(text) > MAX_ROW_BYTES
        yield RawRow(location, text[:_KEPT_BYTES] if is_too_long else text, is_too_long=is_too_long)


def _element(scanner: _ArrayScanner, location: Location, end: int, *, is_unclosed: bool = False) -> RawRow:
    if scanner.beginning or end - scanner.position > MAX_ROW_BYTES:
        text = scanner.beginning or scanner.buffer[scanner.position : scanner.position + _KEPT_BYTES]
        return RawRow(location, text, is_unclosed=is_unclosed, is_too_long=True)
    text = scanner.buffer[scanner.position : end].rstrip()
    return RawRow(location, text or (b"[" if is_unclosed else b""), is_unclosed=is_unclosed)
