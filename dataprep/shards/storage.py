"""Where shards lie: a folder of this machine, or a place in a store that is named by a URI such as ``s3://bucket/run``.

A folder is a ``pathlib.Path`` and takes no way through here. A URI becomes a ``RemotePath``: those methods of ``Path``
that shards need, through ``pyarrow.fs``. Credentials come from the usual environment variables and files of the store.
What the store refuses is a ``StorageError`` in one sentence; only a missing file is a ``FileNotFoundError``, as for
a ``Path``.
"""

from __future__ import annotations

import contextlib
import errno
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from dataprep.errors import ConfigError, StorageError

SCHEMES = ("abfs", "abfss", "gcs", "gs", "s3")
"""Those of ``pyarrow.fs`` in which a file can be given the name of another, which it then replaces."""
TEMPORARY_SUFFIX = ".tmp"
_BUFFER_BYTES = 8 << 20  # every request takes some 20 ms
# A Path has lost one of the slashes.
_URI = re.compile(rf"({'|'.join(SCHEMES)}):/+(.*)", re.DOTALL)
_MOST_RETRIES_S = 30


@dataclass(frozen=True, slots=True)
class _FileStatus:
    st_size: int


@dataclass(frozen=True, slots=True)
class RemotePath:
    """A file or folder of a store; picklable.

    Attributes:
        uri: The folder that was named, with what the store's library takes behind a ``?``.
        below: Path below that folder, empty for the folder itself.
    """

    uri: str
    below: str = ""

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(self.uri, f"{self.below}/{name}" if self.below else name)

    def __str__(self) -> str:
        parts = urlsplit(self.uri)
        host = parts.netloc.rpartition("@")[2]  # a key and a secret may stand before it
        return "/".join([f"{parts.scheme}://{host}{parts.path.rstrip('/')}", *([self.below] if self.below else [])])

    @property
    def name(self) -> str:
        """The last part of the path."""
        return str(self).rpartition("/")[2]

    def with_name(self, name: str) -> RemotePath:
        """Return the path of another file in the same folder."""
        folder, _, _ = self.below.rpartition("/")
        return RemotePath(self.uri, f"{folder}/{name}" if folder else name)

    def exists(self) -> bool:
        """Whether there is a file or folder."""
        return self._kind() != "NotFound"

    def is_file(self) -> bool:
        """Whether there is a file."""
        return self._kind() == "File"

    def is_dir(self) -> bool:
        """Whether there is a folder: in an object store, names that begin with this one and a slash."""
        return self._kind() == "Directory"

    def stat(self) -> _FileStatus:
        """Return the size of a file."""
        info = self._info()
        if info.type.name != "File":
            raise FileNotFoundError(errno.ENOENT, "No such file", str(self))
        return _FileStatus(info.size)

    def open(self, mode: str = "rb") -> io.BufferedReader:
        """Open a file for reading from its beginning on, with a large buffer."""
        assert mode == "rb"
        return io.BufferedReader(self.open_ranges(), _BUFFER_BYTES)

    def open_ranges(self) -> io.RawIOBase:
        """Open a file for reading what is asked for, and no more."""
        with _explained(self, "read"):
            return _RemoteFile(self, self._store().open_input_file(self._path()))

    def read_bytes(self) -> bytes:
        """Return the bytes of a file."""
        with self.open() as file:
            return file.read()

    def unlink(self) -> None:
        """Remove a file."""
        with _explained(self, "removed"):
            self._store().delete_file(self._path())

    def iterdir(self) -> Iterator[RemotePath]:
        """Yield what lies in a folder; nothing if there is none."""
        from pyarrow.fs import FileSelector

        with _explained(self, "listed"):
            found = self._store().get_file_info(FileSelector(self._path(), allow_not_found=True))
        return (self / info.base_name for info in found)

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """Yield what lies in a folder and has a name of this pattern."""
        return (path for path in self.iterdir() if fnmatchcase(path.name, pattern))

    @contextlib.contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """Open a file that appears under its name only when the block ends well.

        Bytes go to a temporary name: a store completes a file whose writer is dropped, however short it is.
        """
        temporary = self.with_name(self.name + TEMPORARY_SUFFIX)
        store = self._store()
        with _explained(self, "written"):
            stream = store.open_output_stream(temporary._path())
            try:
                yield stream
                stream.close()
                store.move(temporary._path(), self._path())
            except BaseException:
                with contextlib.suppress(Exception):
                    stream.close()
                with contextlib.suppress(Exception):
                    store.delete_file(temporary._path())
                raise

    def _kind(self) -> str:
        return str(self._info().type.name)

    def _info(self) -> Any:
        with _explained(self, "read"):
            return self._store().get_file_info(self._path())

    def _store(self) -> Any:
        return _connect(self.uri)[0]

    def _path(self) -> str:
        root = _connect(self.uri)[1].rstrip("/")
        return f"{root}/{self.below}" if self.below else root


Place = Path | RemotePath
"""A file or folder, here or in a store."""


def to_place(path: str | Path | RemotePath) -> Place:
    """Return the place that a path or URI names.

    Raises:
        ConfigError: If it is a URI of a store that is not known, or names no bucket.
    """
    if isinstance(path, RemotePath):
        return path
    text = str(path)
    match = _URI.fullmatch(text)
    if match is not None:
        if not match[2].partition("?")[0].strip("/"):
            raise ConfigError(f"{text} names no bucket; write it as {match[1]}://BUCKET/FOLDER")
        return RemotePath(f"{match[1]}://{match[2]}")
    scheme, separator, rest = text.partition("://")
    if separator and scheme == "file":
        return Path(rest)
    if separator and scheme.isidentifier():
        raise ConfigError(f"{scheme}:// is no store that shards can lie in; there are {', '.join(SCHEMES)}")
    return Path(path)


def require_local(place: Place) -> Path:
    """Return a place that must be a folder of this machine.

    Raises:
        ConfigError: If it lies in a store.
    """
    if isinstance(place, RemotePath):
        raise ConfigError(f"{place} lies in a store, which this command cannot use; copy the folder to a disk first")
    return place


@cache
def _connect(uri: str) -> tuple[Any, str]:
    """Return the store behind a URI and the path in it; one connection per process."""
    from pyarrow.fs import FileSystem

    store, path = FileSystem.from_uri(_with_patience(uri))
    return store, path


def _with_patience(uri: str) -> str:
    """Return a URI of Google's store with a limit of its retries, which go on for a quarter of an hour without one."""
    if not uri.startswith(("gs://", "gcs://")) or "retry_limit_seconds=" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}retry_limit_seconds={_MOST_RETRIES_S}"


class _RemoteFile(io.RawIOBase):
    """An open file of a store, whose failures are explained."""

    def __init__(self, path: RemotePath, stream: Any) -> None:
        self._path = path
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _explained(self._path, "read"):
            return int(self._stream.readinto(buffer))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._stream.seek(offset, whence)
        return int(self._stream.tell())

    def tell(self) -> int:
        return int(self._stream.tell())

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


@contextlib.contextmanager
def _explained(path: RemotePath, action: str) -> Iterator[None]:
    """Turn what the store's library raises into one sentence with a next step."""
    from pyarrow import ArrowException

    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "No such file", str(path)) from error
    except (OSError, ArrowException) as error:
        raise StorageError(_explain(path, action, str(error))) from error


def _explain(path: RemotePath, action: str, reason: str) -> str:
    if "NO_SUCH_BUCKET" in reason:
        return f"{path}: there is no such bucket; create it, or mend its name"
    if "ACCESS_DENIED" in reason or "HTTP status 403" in reason or "INVALID_ACCESS_KEY" in reason:
        return (
            f"{path} cannot be {action}: the store denies access; check the credentials in the environment and what "
            f"they may do there (list, read, write, delete)"
        )
    if "NETWORK_CONNECTION" in reason or "curlCode" in reason:
        detail = reason.rpartition("Details: ")[2].splitlines()[0]
        return (
            f"{path} cannot be {action}: no connection to the store ({detail}); check the network and the endpoint, "
            f"then run the command again"
        )
    first = (reason.splitlines() or ["no reason given"])[0]
    return f"{path} cannot be {action}: {first}; check the URI, the credentials and the store"
