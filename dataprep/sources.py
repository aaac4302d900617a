"""Read JSON Lines and JSON arrays, row by row, with the place of every row and in bounded memory.

``read_rows`` only cuts a file into the bytes of its rows; ``parse_row`` turns those bytes into a value or says
why it cannot. Nothing is skipped but blank lines: a row that cannot be parsed is still a row. Plain, ``.gz`` and
``.zst`` files and standard input (``-``) are read alike.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from dataprep.errors import SourceError
from dataprep.findings import Location
from dataprep.foreign import describe_foreign_data

MAX_DEPTH = 200  # nesting of one row; real rows need fewer than ten
_CHUNK_BYTES = 1 << 20
_BUFFER_BYTES = 1 << 20
_NO_SPACE = re.compile(rb"[^ \t\r\n]")
_STRUCTURE = re.compile(rb'["\[\]{},]')
_STRING_END = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)  # possessive: nothing is kept to come back to
_SUFFIXES = {".jsonl", ".json", ".ndjson"}


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
    """

    location: Location
    text: bytes
    starts_with_bom: bool = False
    ends_file: bool = False
    is_unclosed: bool = False
    foreign: str = ""


@dataclass(frozen=True, slots=True)
class ParseProblem:
    """Why a row could not be parsed.

    Attributes:
        kind: ``invalid-json``, ``cut-off``, ``not-rows``, ``invalid-utf8``, ``duplicate-key``, ``non-finite-number``,
            ``lone-surrogate``, ``nested-too-deep`` or ``not-an-object``.
        detail: The cause in words, with the column or key.
    """

    kind: str
    detail: str


class _Refused(ValueError):
    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.problem = ParseProblem(kind, detail)


def expand_paths(paths: list[str]) -> list[str]:
    """Return the data files behind some paths: a folder stands for the data files in it, sorted.

    Raises:
        SourceError: If a path does not exist, is no regular file or a folder without data files.
    """
    files: list[str] = []
    for path in paths:
        try:
            files += _expand(path)
        except OSError as error:  # a name too long, a folder that may not be listed
            raise SourceError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    return files


def _expand(path: str) -> list[str]:
    place = Path(path)
    if path == "-":
        return [path]
    if place.is_dir():
        inside = sorted(str(p) for p in place.iterdir() if _is_data_file(p))
        if not inside:
            raise SourceError(f"{path}: a folder without .json or .jsonl files; name the data files themselves")
        return inside
    if not place.exists():
        raise SourceError(f"{path}: no such file; check the path (it is relative to {Path.cwd()})")
    if not (place.is_file() or place.is_fifo()):
        raise SourceError(f"{path}: not a regular file; name a .json or .jsonl file")
    return [path]


def _is_data_file(path: Path) -> bool:
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    return path.is_file() and Path(name).suffix in _SUFFIXES


@contextmanager
def _open(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        with _open_unpacked(path) as stream:
            yield stream
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read ({error}); check the file and its permissions") from error


def _open_unpacked(path: str) -> BinaryIO:
    packing = Path(path).suffix if path.endswith((".gz", ".zst")) else ""
    if packing and Path(path).is_file() and Path(path).stat().st_size == 0:
        raise EOFError(f"0 bytes are no {packing} file; was the download cut off?")
    if packing == ".gz":
        import gzip

        return cast(BinaryIO, io.BufferedReader(gzip.open(path), _BUFFER_BYTES))
    if packing == ".zst":
        import pyarrow  # not needed for any other file, and slow to load

        unpacked = pyarrow.input_stream(path, compression="zstd")
        return cast(BinaryIO, io.BufferedReader(unpacked, _BUFFER_BYTES))
    return Path(path).open("rb", buffering=_BUFFER_BYTES)


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
    with _open(path) as stream:
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


def _read_lines(start: SourceStart) -> Iterator[RawRow]:
    number, path, line, stream = start.location.line, start.location.path, start.line, start.stream
    line = line if line.endswith(b"\n") else line + stream.readline()
    while line:
        text = line.rstrip(b"\r\n")
        if text.strip():
            yield RawRow(Location(path, number), text, ends_file=not line.endswith(b"\n"))
        line, number = stream.readline(), number + 1


class _ArrayScanner:
    """Cut the elements out of a JSON array, keeping little more than the current one in memory."""

    def __init__(self, start: Location, buffer: bytes, stream: BinaryIO) -> None:
        self.path = start.path
        self.stream = stream
        self.buffer = buffer
        self.position = 0
        self._line = start.line
        self._counted = 0  # where line ends have been counted up to

    def fill(self) -> bool:
        """Append a chunk to the buffer; return whether there was one."""
        # As much again as is held: an element of any size is scanned a bounded number of times.
        chunk = self.stream.read(max(_CHUNK_BYTES, len(self.buffer)))
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
                # Forgotten by halves, so that what is kept is not copied for every element.
                self.location()
                self.buffer = self.buffer[self.position :]
                self.position = self._counted = 0
            if match:
                return match[0]
            if not self.fill():
                return b""

    def find_end(self) -> int | None:
        """Return where the element at the current position ends; None if the file ends first."""
        depth, at = 0, self.position
        while True:
            match = _STRUCTURE.search(self.buffer, at)
            if match is None:
                at = len(self.buffer)
                if not self.fill():
                    return None
                continue
            symbol, at = match[0], match.end()
            if symbol == b'"':
                end = self.find_string_end(at)
                if end is None:
                    return None
                at = end
            elif symbol in b"[{":
                depth += 1
            elif depth == 0 and symbol != b"}":  # a brace that closes nothing is part of a broken element
                return match.start()
            elif symbol in b"]}":
                depth = max(depth - 1, 0)

    def find_string_end(self, at: int) -> int | None:
        """Return the position behind the string whose inside begins at ``at``; None if the file ends first."""
        while True:
            match = _STRING_END.match(self.buffer, at)
            if match is not None:
                return match.end()
            if not self.fill():
                return None


def read_array(start: SourceStart) -> Iterator[RawRow]:
    """Yield the elements of the array that a data file holds."""
    return _mark_bom(start, _read_elements(start))


def _read_elements(start: SourceStart) -> Iterator[RawRow]:
    scanner = _ArrayScanner(start.location, start.line, start.stream)
    scanner.skip_space()
    scanner.position += 1  # the opening bracket
    follows_comma = False
    while True:
        symbol = scanner.skip_space()
        location = scanner.location()
        if symbol == b"]" and not follows_comma:
            break
        end = scanner.find_end()
        if end is None:
            # An array that never closes: what is left is one broken row, so that nothing is lost.
            yield RawRow(location, scanner.buffer[scanner.position :].rstrip() or b"[", is_unclosed=True)
            return
        yield RawRow(location, scanner.buffer[scanner.position : end].rstrip())
        follows_comma = scanner.buffer[end : end + 1] == b","
        scanner.position = end + follows_comma
    scanner.position += 1
    if scanner.skip_space():
        location = scanner.location()
        yield RawRow(location, b"".join([scanner.buffer[scanner.position :], *scanner.stream]))


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise _Refused("duplicate-key", f"the key {twice!r} occurs twice in one object")
    return value


def _refuse_constant(name: str) -> float:
    raise _Refused("non-finite-number", f"{name} is not a JSON number")


def _parse_float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _Refused("non-finite-number", f"the number {digits[:40]} is too large")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant, parse_float=_parse_float
)


def parse_row(raw: RawRow) -> tuple[dict[str, object] | None, ParseProblem | None]:
    """Parse a row strictly.

    Returns:
        The row and None, or None and the reason.
    """
    if raw.foreign:
        return None, ParseProblem("not-rows", raw.foreign)
    try:
        value = _DECODER.decode(raw.text.decode("utf-8"))
    except UnicodeDecodeError as error:
        return None, ParseProblem("invalid-utf8", f"byte {error.start + 1} is not valid UTF-8")
    except _Refused as error:
        return None, error.problem
    except json.JSONDecodeError as error:
        return None, _explain_syntax(raw, error)
    except RecursionError:
        return None, ParseProblem("nested-too-deep", f"nested more than {MAX_DEPTH} levels deep")
    except ValueError as error:  # an integer of thousands of digits
        return None, ParseProblem("non-finite-number", str(error).partition(";")[0])
    if raw.is_unclosed:
        return None, ParseProblem("cut-off", "the file ends before the array is closed")
    if not isinstance(value, dict):
        return None, ParseProblem("not-an-object", f"a row must be a JSON object, this is {_name_type(value)}")
    return value, _find_structure_problem(value, raw.text)


def parse_embedded(text: str) -> object:
    """Parse JSON that a row holds as text, as strictly as the row itself.

    Raises:
        ValueError: If it is not such JSON; the message says why.
    """
    try:
        value: object = _DECODER.decode(text)
    except _Refused as error:
        raise ValueError(error.problem.detail) from error
    except RecursionError as error:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep") from error
    problem = _find_structure_problem(value, text.encode("utf-8"))
    if problem is not None:
        raise ValueError(problem.detail)
    return value


def _explain_syntax(raw: RawRow, error: json.JSONDecodeError) -> ParseProblem:
    if not raw.text:
        return ParseProblem("invalid-json", "a comma in the array has no row beside it")
    place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} of the row"
    is_at_end = error.pos >= len(error.doc.rstrip()) - 1 or error.msg.startswith("Unterminated string")
    if is_at_end and (raw.ends_file or raw.is_unclosed):
        return ParseProblem("cut-off", f"the file ends in the middle of this row ({place})")
    return ParseProblem("invalid-json", f"{error.msg.removesuffix(' starting at').removesuffix(' at')} at {place}")


def _find_structure_problem(value: object, text: bytes) -> ParseProblem | None:
    if b"\\ud" in text or b"\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            return ParseProblem("lone-surrogate", "a \\ud800-\\udfff escape without its other half is no character")
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        return ParseProblem("nested-too-deep", f"nested more than {MAX_DEPTH} levels deep")
    return None


def _depth(value: object) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return depth


def _name_type(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
