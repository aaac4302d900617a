"""Write a file so that it is there whole or not at all.

Bytes go to ``NAME.tmp`` beside the target and are hashed on the way; at the end they are flushed to the disk
and the file is renamed, then the directory entry is flushed too. Any failure removes the temporary file. The
temporary name is fixed, so that a run after a kill overwrites what the killed one left behind.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dataprep.errors import ShardError
from dataprep.shards.storage import TEMPORARY_SUFFIX as TEMPORARY_SUFFIX
from dataprep.shards.storage import Place, RemotePath


class HashingFile:
    """A write-only binary file that counts and hashes what passes; Arrow can write to it."""

    closed = False

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._sha256 = hashlib.sha256()
        self.bytes_written = 0

    def write(self, data: bytes | memoryview) -> int:
        """Append bytes and return how many they were."""
        view = memoryview(data)
        self._raw.write(view)
        self._sha256.update(view)
        self.bytes_written += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self.bytes_written

    def flush(self) -> None:
        """Do nothing: ``atomic_file`` flushes once, at the end."""

    def close(self) -> None:
        """Do nothing: ``atomic_file`` owns the file."""

    @property
    def sha256(self) -> str:
        """Hash of everything written so far, 64 hexadecimal digits."""
        return self._sha256.hexdigest()


@contextlib.contextmanager
def atomic_file(path: Place, *, is_durable: bool = True) -> Iterator[HashingFile]:
    """Open a file that appears under its name only when the block ends well.

    Args:
        path: The final name; its folder must exist, but for one in a store. An older file of that name is replaced.
        is_durable: Whether it must survive a loss of power from then on; that takes milliseconds.

    Yields:
        The file to write to.

    Raises:
        ShardError: When the system refuses to write, with the reason (a full disk, a quota, no permission).
        StorageError: When a store refuses to.
    """
    if isinstance(path, RemotePath):
        with path.writing() as stream:
            yield HashingFile(stream)
        return
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        with temporary.open("wb") as raw:
            file = HashingFile(raw)
            yield file
            raw.flush()
            if is_durable:
                os.fsync(raw.fileno())
        temporary.replace(path)
        if is_durable:
            _sync_directory(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise ShardError(_write_failure(path, error)) from error
        raise


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_failure(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        step = "free space on that disk or choose another output folder, then run the command again"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        step = "choose an output folder that you may write to"
    elif error.errno == errno.ENOENT:
        step = "create the folder first, and leave it alone during a run"
    else:
        step = "check the disk, then run the command again"
    return f"cannot write {path}: {reason}; nothing was left under that name. {step[0].upper()}{step[1:]}"
