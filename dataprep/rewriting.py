"""Make shards out of others: a folder that becomes complete with its manifest, and files taken over as they are."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dataprep.errors import ConfigError, ShardError
from dataprep.shards.arrow_file import check_hash, check_size
from dataprep.shards.atomic import atomic_file
from dataprep.shards.format import MANIFEST_NAME
from dataprep.shards.ledger import require_accounts
from dataprep.shards.locking import hold_folder
from dataprep.shards.manifest import FileEntry
from dataprep.shards.reader import Shards, open_shards

WORK_FOLDER = ".parts"
"""Below the output folder while it is written, as in a conversion: says that what lies there is no one else's."""
Progress = Callable[[str, int, int], None]
"""Called with the stage, what is done of it, and how much there is."""
_COPY_BYTES = 4 << 20
_CANNOT_LINK = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS)


def open_source(path: str | Path) -> Shards:
    """Open shards that others are to be made of; their ledger must add up.

    Raises:
        ShardError: If they cannot be read or do not account for every row.
    """
    shards = open_shards(path)
    require_accounts(shards.directory)
    return shards


@contextmanager
def new_directory(out: Path, source: Path) -> Iterator[Path]:
    """Hold an output folder while it is written; the block ends with writing its manifest.

    What a killed run left there is overwritten; see ``dataprep.conversion`` for the same of conversions.

    Args:
        out: The folder to make.
        source: The shards that it is made of.

    Yields:
        A folder below it for files of the work, removed at the end.

    Raises:
        ConfigError: If the folder holds something else, cannot be made, or is being written by another run.
    """
    if out.resolve() == source.resolve():
        raise ConfigError(f"{out} is the shard directory itself; choose another --out")
    work = out / WORK_FOLDER
    try:
        _refuse_complete(out)
        if out.exists() and not work.exists() and any(out.iterdir()):
            raise ConfigError(f"{out} holds something else; choose an empty or new folder for --out")
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out} cannot be used for output ({error.strerror}); choose another --out") from error
    with hold_folder(work, out):
        _refuse_complete(out)  # another run may have ended meanwhile
        for path in [*out.glob("samples-*"), *out.glob("media-*")]:
            path.unlink()
        yield work
        shutil.rmtree(work)


def _refuse_complete(out: Path) -> None:
    if (out / MANIFEST_NAME).exists():
        raise ConfigError(f"{out} already holds complete shards; choose another --out, or remove it first")


def check_file(directory: Path, name: str, entry: FileEntry) -> Path:
    """Return a file of a shard directory whose every byte is what the manifest says.

    Raises:
        ShardError: If it is not.
    """
    check_size(directory / name, entry.bytes)
    check_hash(directory / name, entry.sha256)
    return directory / name


def take_over(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system does not do that.

    Raises:
        ShardError: When the system refuses to write.
    """
    with suppress(FileNotFoundError):
        target.unlink()
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise ShardError(f"cannot write {target}: {error.strerror}; check the folder and its disk") from error
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as stream, atomic_file(target) as file:
        while piece := stream.read(_COPY_BYTES):
            file.write(piece)
