"""Find data files and open them: plain, packed (``.gz``, ``.zst``), pipes and standard input (``-``)."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from dataprep.errors import SourceError

WRITER_TIMEOUT_S = 10.0
"""Seconds that a named pipe waits for somebody to write into it."""
_BUFFER_BYTES = 1 << 20
_SHOWN_CHARACTERS = 200
_SUFFIXES = {".jsonl", ".json", ".ndjson"}


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
            raise SourceError(f"{_shown(path)}: {_explain(error)}; check the path") from error
    return files


def _refuse_shards(folder: Path) -> None:
    """Refuse a shard directory, whose manifest and rejects look like data files."""
    # Named here: dataprep.shards.format, which names them too, loads pyarrow.
    if (folder / "manifest.json").is_file() and (folder / "ledger.arrow").is_file():
        raise SourceError(f"{folder}: these are shards; name the data files that they were made of, as 'ledger' does")
    if (folder / ".parts").is_dir():
        raise SourceError(f"{folder}: these are no shards, or their conversion did not finish; run 'convert' again")


def _expand(path: str) -> list[str]:
    place = Path(path)
    if path == "-":
        return [path]
    if place.is_dir():
        _refuse_shards(place)
        inside = sorted(str(p) for p in place.iterdir() if _is_data_file(p))
        if not inside:
            raise SourceError(f"{path}: a folder without .json or .jsonl files; name the data files themselves")
        return inside
    if place.is_symlink():
        place.stat()  # says why a link leads nowhere
    elif not place.exists():
        raise SourceError(f"{_shown(path)}: no such file; check the path (it is relative to {Path.cwd()})")
    if not (place.is_file() or place.is_fifo()):
        raise SourceError(f"{path}: not a regular file; name a .json or .jsonl file")
    return [path]


def _shown(path: str) -> str:
    """Return a path, short enough for a message."""
    return path if len(path) <= _SHOWN_CHARACTERS else f"{path[: _SHOWN_CHARACTERS // 2]}...{path[-40:]}"


def _explain(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a symbolic link that leads back to itself"
    if error.errno == errno.ENOENT:
        return "a symbolic link to a file that is not there"
    return f"cannot be read ({error.strerror})"


def _is_data_file(path: Path) -> bool:
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    return path.is_file() and Path(name).suffix in _SUFFIXES


@contextmanager
def open_data_file(path: str) -> Iterator[BinaryIO]:
    """Open a data file, unpacked, as a stream that can look ahead.

    Raises:
        SourceError: If the file cannot be opened or read, now or while the context lasts.
    """
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        with ExitStack() as stack:
            file = stack.enter_context(_open_file(path))
            yield stack.enter_context(_unpack(path, file))
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SourceError(f"{_shown(path)}: cannot be read ({reason}); check the file and its permissions") from error


def _open_file(path: str) -> BinaryIO:
    if not Path(path).is_fifo():
        return Path(path).open("rb", buffering=_BUFFER_BYTES)
    return os.fdopen(_open_pipe(path), "rb", buffering=_BUFFER_BYTES)


def _open_pipe(path: str) -> int:
    """Open a named pipe as soon as somebody writes into it, which is as long as the system waits: in a thread."""
    opened: list[int] = []
    thread = threading.Thread(target=lambda: opened.append(os.open(path, os.O_RDONLY)), daemon=True)
    thread.start()
    thread.join(WRITER_TIMEOUT_S)
    if thread.is_alive():
        with suppress(OSError):  # where it may not be written, the thread waits until this process ends
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            thread.join(1)
        for descriptor in opened:
            os.close(descriptor)
        raise SourceError(f"{path}: a pipe that nobody writes into; start its writer first, or name a file")
    if not opened:
        raise SourceError(f"{path}: a pipe that cannot be opened; check its permissions")
    return opened[0]


def _unpack(path: str, file: BinaryIO) -> BinaryIO:
    packing = Path(path).suffix if path.endswith((".gz", ".zst")) else ""
    if packing and Path(path).is_file() and Path(path).stat().st_size == 0:
        raise EOFError(f"0 bytes are no {packing} file; was the download cut off?")
    if packing == ".gz":
        import gzip

        return cast(BinaryIO, io.BufferedReader(gzip.open(file), _BUFFER_BYTES))
    if packing == ".zst":
        import pyarrow  # not needed for any other file, and slow to load

        unpacked = pyarrow.input_stream(file, compression="zstd")
        return cast(BinaryIO, io.BufferedReader(unpacked, _BUFFER_BYTES))
    return file
