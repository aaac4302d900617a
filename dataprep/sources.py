"""Read JSON Lines and JSON arrays, row by row, with the place of every row and in bounded memory.

``read_rows`` only cuts a file into the bytes of its rows; ``parse_row`` turns those bytes into a value or says
why it cannot. Nothing is skipped but blank lines: a row that cannot be parsed is still a row. Plain, ``.gz`` and
``.zst`` files and standard input (``-``) are read alike.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from dataprep.errors import SourceError
from dataprep.findings import Location

MAX_DEPTH = 200  # nesting of one row; real rows need fewer than ten
_CHUNK_BYTES = 1 << 20
_BUFFER_BYTES = 1 << 20
_STRUCTURE = re.compile(rb'["\[\]{},]')
_STRING_END = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)
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
    """

    location: Location
    text: bytes
    starts_with_bom: bool = False
    ends_file: bool = False
    is_unclosed: bool = False


@dataclass(frozen=True, slots=True)
class ParseProblem:
    """Why a row could not be parsed.

    Attributes:
        kind: ``invalid-json``, ``invalid-utf8``, ``duplicate-key``, ``non-finite-number``, ``lone-surrogate``,
            ``nested-too-deep`` or ``not-an-object``.
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
        place = Path(path)
        if path == "-":
            files.append(path)
        elif place.is_dir():
            inside = sorted(str(p) for p in place.iterdir() if _is_data_file(p))
            if not inside:
                raise SourceError(f"{path}: a folder without .json or .jsonl files; name the data files themselves")
            files.extend(inside)
        elif not place.exists():
            raise SourceError(f"{path}: no such file; check the path (it is relative to {Path.cwd()})")
        elif not (place.is_file() or place.is_fifo()):
            raise SourceError(f"{path}: not a regular file; name a .json or .jsonl file")
        else:
            files.append(path)
    return files


def _is_data_file(path: Path) -> bool:
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    return path.is_file() and Path(name).suffix in _SUFFIXES


@contextmanager
def _open(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        if path.endswith(".gz"):
            with gzip.open(path) as unpacked:
                yield cast(BinaryIO, unpacked)
        elif path.endswith(".zst"):
            with _open_zstd(path) as unpacked:
                yield unpacked
        else:
            with Path(path).open("rb", buffering=_BUFFER_BYTES) as stream:
                yield stream
    except (OSError, EOFError) as error:
        raise SourceError(f"{path}: cannot be read ({error}); check the file and its permissions") from error


@contextmanager
def _open_zstd(path: str) -> Iterator[BinaryIO]:
    try:
        import zstandard
    except ImportError as error:
        raise SourceError(f"{path}: needs the extra 'zstd': pip install 'dataprep-vl[zstd]'") from error
    with zstandard.open(path, "rb") as unpacked:
        try:
            yield unpacked
        except zstandard.ZstdError as error:
            raise SourceError(f"{path}: damaged zstd data ({error}); compress the file again") from error


def read_rows(path: str) -> Iterator[RawRow]:
    """Yield every row of a data file in order.

    Args:
        path: A ``.jsonl`` or ``.json`` file, also compressed; ``-`` is standard input.

    Raises:
        SourceError: If the file cannot be opened or read.
    """
    with _open(path) as stream:
        first_line = stream.readline()
        has_bom = first_line.startswith(codecs.BOM_UTF8)
        first_line = first_line.removeprefix(codecs.BOM_UTF8)
        rows = _read_array if _begins_array(path, first_line, stream) else _read_lines
        for row in rows(path, first_line, stream):
            yield replace(row, starts_with_bom=True) if has_bom else row
            has_bom = False


def _begins_array(path: str, first_line: bytes, stream: BinaryIO) -> bool:
    start = first_line.strip()
    if not start:
        return path.removesuffix(".gz").removesuffix(".zst").endswith(".json")
    # In a .jsonl file a line that is an array of its own is a bad row, not the beginning of an array of rows.
    return start.startswith(b"[") and not (".jsonl" in path and start.endswith(b"]"))


def _read_lines(path: str, first_line: bytes, stream: BinaryIO) -> Iterator[RawRow]:
    line, number = first_line, 1
    while line:
        text = line.rstrip(b"\r\n")
        if text.strip():
            yield RawRow(Location(path, number), text, ends_file=not line.endswith(b"\n"))
        line, number = stream.readline(), number + 1


class _ArrayScanner:
    """Cut the elements out of a JSON array, keeping only the current one in memory."""

    def __init__(self, path: str, buffer: bytes, stream: BinaryIO) -> None:
        self.path = path
        self.stream = stream
        self.buffer = buffer
        self.position = 0
        self.line = 1
        self.is_at_end = False

    def fill(self) -> bool:
        """Append a chunk to the buffer; return whether there was one."""
        # As much again as is held: an element of any size is scanned a bounded number of times.
        chunk = self.stream.read(max(_CHUNK_BYTES, len(self.buffer)))
        self.is_at_end = not chunk
        self.buffer += chunk
        return bool(chunk)

    def drop(self) -> None:
        """Forget what lies before the current position, counting its lines."""
        self.line += self.buffer.count(b"\n", 0, self.position)
        self.buffer = self.buffer[self.position :]
        self.position = 0

    def skip_space(self) -> bytes:
        """Move to the next byte that is no white space and return it; empty at the end of the file."""
        while True:
            rest = self.buffer[self.position :].lstrip()
            if rest or not self.fill():
                self.position = len(self.buffer) - len(rest)
                self.drop()
                return self.buffer[:1]

    def find_end(self) -> int | None:
        """Return where the element at position 0 ends; None if the file ends first."""
        depth, at = 0, 0
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
            elif depth == 0:
                return match.start()
            elif symbol in b"]}":
                depth -= 1

    def find_string_end(self, at: int) -> int | None:
        """Return the position behind the string whose inside begins at ``at``; None if the file ends first."""
        while True:
            match = _STRING_END.match(self.buffer, at)
            if match is not None:
                return match.end()
            if not self.fill():
                return None


def _read_array(path: str, first_line: bytes, stream: BinaryIO) -> Iterator[RawRow]:
    scanner = _ArrayScanner(path, first_line, stream)
    scanner.skip_space()
    scanner.position = 1  # the opening bracket
    scanner.drop()
    while True:
        symbol = scanner.skip_space()
        location = Location(path, scanner.line)
        if symbol == b"]":
            scanner.position = 1
            if scanner.skip_space():
                yield RawRow(Location(path, scanner.line), b"".join([scanner.buffer, *stream]))
            return
        end = scanner.find_end()
        if end is None:
            # An array that never closes: what is left is one broken row, so that nothing is lost.
            yield RawRow(location, scanner.buffer.rstrip() or b"[", is_unclosed=True)
            return
        yield RawRow(location, scanner.buffer[:end].rstrip())
        scanner.position = end + (scanner.buffer[end : end + 1] == b",")
        scanner.drop()


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
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
        return None, ParseProblem("invalid-json", "the file ends before the array is closed")
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
    place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} of the row"
    is_at_end = error.pos >= len(error.doc.rstrip()) - 1 or error.msg.startswith("Unterminated string")
    if is_at_end and (raw.ends_file or raw.is_unclosed):
        return ParseProblem("invalid-json", f"the file ends in the middle of this row ({place})")
    return ParseProblem("invalid-json", f"{error.msg.removesuffix(' starting at')} at {place}")


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
