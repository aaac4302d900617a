"""Remember from run to run what is dear to find out of a media file: videos, pixels, odd and damaged images.

One SQLite file holds one entry per file and kind of fact. An entry counts only while the file has the size, times and
inode that it had before it was looked at, and only for the release and the decoders that wrote it: a changed file is
probed anew. Sound images that the short way reads are not kept: to look at the file, which must happen in any case,
is most of what they cost. Several processes may share the file. A file that is damaged is made anew; where nothing can
be written, one sentence says so, and the run goes on without.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from dataprep import __version__
from dataprep.errors import MediaError

if TYPE_CHECKING:
    import sqlite3

Fact = TypeVar("Fact")
FILE_NAME = "media.sqlite"
_FORMAT = 2
_OF_VIDEOS = ("decord", "eva-decord", "av")
_DECODERS = {
    "image": ("pillow",), "video": _OF_VIDEOS, "frames": _OF_VIDEOS, "pixels": ("pillow", "simplejpeg", "numpy")
}  # fmt: skip
LASTING = frozenset({
    "empty", "lfs-pointer", "not-an-image", "unsupported-format", "truncated-header", "truncated-data", "zero-size",
    "too-large", "not-a-video", "no-frames", "damaged-data",
})  # fmt: skip
"""Failures that the bytes of a file alone decide; the others may be gone the next time."""
_LARGEST_BYTES = 1 << 30
_UNUSED_DAYS = 90
_STEP_S = 0.01
_TOUCHED_DAYS = 7
_PATIENCE_S = 5.0
_MOST_WAITING = 1_000
# A file that was written a moment ago may be written again without a new time; clocks tick in milliseconds, those of
# some file systems in two seconds.
_TICK_NS, _COARSE_TICK_NS = 50_000_000, 2_000_000_000
_log = logging.getLogger(__name__)


class _Entry(msgspec.Struct, array_like=True):
    """What is stored: a fact as JSON, or reason, words and suggestion of a failure."""

    fact: msgspec.Raw = msgspec.Raw(b"null")
    error: tuple[str, str, str | None] | None = None


_encode = msgspec.json.Encoder().encode
_decode_entry = msgspec.json.Decoder(_Entry).decode


def default_folder() -> Path | None:
    """Return the user's folder for caches of this program; None if there is no home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"  # noqa: PTH117
    except RuntimeError:
        return None
    return base / "dataprep"


class MediaCache:
    """Facts of media files, from earlier runs and for later ones. Nothing is opened before the first question."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made when there is something to remember.

        Args:
            folder: Where the file lies.
        """
        self._folder = folder
        self._connection: sqlite3.Connection | None = None
        self._is_broken = False
        self._waiting: dict[tuple[str, str], tuple[str, bytes]] = {}
        self._used: set[tuple[str, str]] = set()
        self._today = int(time.time() // 86_400)

    def recall(self, kind: str, file: str, fact_type: type[Fact], find: Callable[[], Fact]) -> Fact:
        """Return a fact of a file: what is remembered of it, or what ``find`` returns.

        Args:
            kind: ``image``, ``video``, ``pixels`` or ``frames``, with a hyphen and what else decides about it.
            file: Absolute path.
            fact_type: Type of the fact; it can be written as JSON.
            find: Finds it out.

        Raises:
            MediaError: What ``find`` raises, or raised when the file was last looked at.
        """
        stamp = _stamp(kind, file)
        if stamp is None:
            return find()
        stored = self._get(kind, file, stamp)
        if stored is not None:
            with contextlib.suppress(msgspec.MsgspecError, UnicodeError):
                entry = _decode_entry(stored)
                if entry.error is not None:
                    raise MediaError(file, *entry.error)
                if bytes(entry.fact) != b"null":
                    return msgspec.json.decode(entry.fact, type=fact_type)
        try:
            fact = find()
        except MediaError as error:
            if error.reason in LASTING:
                self._put(kind, file, stamp, _Entry(error=(error.reason, error.detail, error.suggestion)))
            raise
        self._put(kind, file, stamp, _Entry(fact=msgspec.Raw(_encode(fact))))
        return fact

    def flush(self) -> None:
        """Write down what was found out since the last time."""
        waiting, self._waiting = self._waiting, {}
        used, self._used = self._used, set()
        connection = self._open() if waiting or used else None
        if connection is None:
            return
        rows = [(file, kind, stamp, self._today, entry) for (kind, file), (stamp, entry) in waiting.items()]
        touched = [(self._today, file, kind) for kind, file in used]

        def write() -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)", rows)
                connection.executemany("UPDATE facts SET used = ? WHERE file = ? AND kind = ?", touched)

        self._try(write)

    def close(self) -> None:
        """Write down the rest, and let go of the file."""
        self.flush()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _get(self, kind: str, file: str, stamp: str) -> bytes | None:
        waiting = self._waiting.get((kind, file))
        if waiting is not None:
            return waiting[1] if waiting[0] == stamp else None
        connection = self._open()
        if connection is None:
            return None
        query = "SELECT stamp, used, entry FROM facts WHERE file = ? AND kind = ?"
        row = self._try(lambda: connection.execute(query, (file, kind)).fetchone())
        if row is None or row[0] != stamp:
            return None
        if not isinstance(row[1], int) or row[1] + _TOUCHED_DAYS < self._today:
            self._used.add((kind, file))
        return row[2] if isinstance(row[2], bytes) else None

    def _put(self, kind: str, file: str, stamp: str, entry: _Entry) -> None:
        if self._is_broken or not _is_settled(stamp):
            return
        self._waiting[kind, file] = stamp, _encode(entry)
        if len(self._waiting) >= _MOST_WAITING:
            self.flush()

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is None and not self._is_broken:
            try:
                import sqlite3
            except ImportError as error:  # some builds of Python lack it
                self._give_up(error)
                return None
            try:
                try:
                    self._connection = _patiently(lambda: _connect(self._folder))
                except sqlite3.DatabaseError as error:
                    if not _is_damage(error):
                        raise
                    self._rebuild(error)
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
        return self._connection

    def _try(self, work: Callable[[], Fact]) -> Fact | None:
        """Return what some work on the file returns; None if it fails, of which the user is told."""
        import sqlite3

        try:
            return _patiently(work)
        except UnicodeError:
            return None  # a path that is no text: not remembered
        except (sqlite3.Error, OSError) as error:
            try:
                if not isinstance(error, sqlite3.DatabaseError) or not _is_damage(error):
                    raise
                self._rebuild(error)
            except (sqlite3.Error, OSError) as last:
                self._give_up(last)
            return None

    def _rebuild(self, error: Exception) -> None:
        """Make the file anew."""
        path = self._folder / FILE_NAME
        _log.warning("the media cache %s was damaged (%s) and is made anew; nothing else is lost", path, error)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        self._connection = _connect(self._folder)

    def _give_up(self, error: Exception) -> None:
        path = self._folder / FILE_NAME
        _log.warning("the media cache %s cannot be used (%s); name another folder with --cache", path, error)
        self._is_broken = True
        self._waiting.clear()
        self._used.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _patiently(work: Callable[[], Fact]) -> Fact:
    """Return what some work on the file returns, begun anew while others hold the file.

    SQLite waits by itself for most locks, but not for those of a file that is being opened or closed.
    """
    import sqlite3

    give_up_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            is_held = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not is_held or time.monotonic() > give_up_s:
                raise
        time.sleep(_STEP_S)


def _connect(folder: Path) -> sqlite3.Connection:
    """Open the file, and prune it where it has grown large."""
    import sqlite3

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = sqlite3.connect(folder / FILE_NAME, timeout=_PATIENCE_S)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut costs is found out again
        connection.execute(
            "CREATE TABLE IF NOT EXISTS facts (file TEXT NOT NULL, kind TEXT NOT NULL, stamp TEXT NOT NULL, "
            "used INTEGER NOT NULL, entry BLOB NOT NULL, PRIMARY KEY (file, kind)) WITHOUT ROWID"
        )
        if _used_bytes(connection) > _LARGEST_BYTES:
            today = int(time.time() // 86_400)
            with connection:
                connection.execute("DELETE FROM facts WHERE used < ?", (today - _UNUSED_DAYS,))
            if _used_bytes(connection) > _LARGEST_BYTES:
                with connection:
                    connection.execute("DELETE FROM facts")
    except BaseException:
        connection.close()
        raise
    return connection


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether an error says that the file is no sound database, or not of this make."""
    import sqlite3

    name = getattr(error, "sqlite_errorcode", None)
    is_other = isinstance(error, sqlite3.OperationalError) and name == sqlite3.SQLITE_ERROR  # another table
    return is_other or name in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _stamp(kind: str, file: str) -> str | None:
    """Return what an entry must have been written for to count; None for what is no file that may be read."""
    try:
        facts = os.stat(file)  # noqa: PTH116 - a path takes longer to make
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(facts.st_mode) or not os.access(file, os.R_OK):
        return None
    times = f"{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}:{facts.st_ino}"
    return f"{times}:{_versions(kind)}"


def _is_settled(stamp: str) -> bool:
    """Whether a file has been left alone for long enough that any change will show in its times."""
    modified, changed = map(int, stamp.split(":")[1:3])
    is_coarse = modified % 1_000_000_000 == 0 and changed % 1_000_000_000 == 0
    return time.time_ns() - max(modified, changed) > (_COARSE_TICK_NS if is_coarse else _TICK_NS)


@cache
def _versions(kind: str) -> str:
    """Return what the facts of a kind depend on besides the file."""
    from importlib import metadata

    versions = [f"dataprep={__version__}", f"format={_FORMAT}"]
    for name in _DECODERS[kind.partition("-")[0]]:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions.append(f"{name}={metadata.version(name)}")
    return " ".join(versions)
