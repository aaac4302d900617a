"""The folder of a store that a conversion writes to: where its parts are kept meanwhile, and one run at a time.

Parts lie on a disk, in a work folder of their own for each output folder; its locks keep out a second run on this
machine. Against runs elsewhere stands ``run.json`` in the output folder, which names the run. ``pyarrow.fs`` cannot
create a file only where there is none, so two runs that begin within the same second can both pass; it is read again
after it was written and before the manifest, and the run that finds another's name in it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataprep.errors import ConfigError, StorageError
from dataprep.shards.atomic import atomic_file
from dataprep.shards.format import LEDGER_NAME, MANIFEST_NAME, REJECTS_NAME, SHARD_NAME
from dataprep.shards.storage import TEMPORARY_SUFFIX, Place, RemotePath

RUN_FILE = "run.json"
_ID_FILE = "run.id"


def work_folder_of(out: RemotePath, base: Path) -> Path:
    """Return the folder below ``base`` that parts for an output folder are kept in."""
    return base / hashlib.sha256(str(out).encode()).hexdigest()[:16]


def check_remote_folder(out: RemotePath, work: Path) -> None:
    """Make sure that the output folder holds nothing but what an unfinished conversion left.

    Raises:
        ConfigError: If it holds complete shards or something else, or another run writes it.
        StorageError: If the store refuses.
    """
    names = {path.name.removesuffix(TEMPORARY_SUFFIX) for path in out.iterdir() if path.name}
    if MANIFEST_NAME in names:
        raise ConfigError(f"{out} already holds complete shards; choose another --out, or remove it first")
    ours = {RUN_FILE, LEDGER_NAME, REJECTS_NAME}
    others = sorted(name for name in names - ours if not SHARD_NAME.fullmatch(name))
    if others or (names and RUN_FILE not in names):
        example = (others or sorted(names))[0]
        raise ConfigError(f"{out} holds something else, such as {example}; choose an empty or new folder for --out")
    _refuse_other(out, work, _read(out))


@contextlib.contextmanager
def hold_remote_folder(out: Place, work: Path) -> Iterator[None]:
    """Name this run in the output folder while it lasts; a folder of this machine needs no such name.

    Raises:
        ConfigError: If another run writes it.
        StorageError: If the store refuses.
    """
    if not isinstance(out, RemotePath):
        yield
        return
    check_remote_folder(out, work)
    _write(out, work, is_running=True)
    confirm_hold(out, work)
    try:
        yield
    except BaseException:
        # Where the store cannot be reached any more the file stays as it is, and the next run says what to do.
        with contextlib.suppress(ConfigError, StorageError, OSError):
            confirm_hold(out, work)
            _write(out, work, is_running=False)
        raise
    (out / RUN_FILE).unlink()


def confirm_hold(out: Place, work: Path) -> None:
    """Make sure that no other run has put its name into the output folder.

    Raises:
        ConfigError: If one has.
        StorageError: If the store refuses.
    """
    if isinstance(out, RemotePath):
        entry = _read(out)
        if entry is None:
            raise ConfigError(f"{out}/{RUN_FILE} was removed during the run; leave it alone, and run the command again")
        _refuse_other(out, work, entry)


def _run_id(work: Path) -> str:
    path = work / _ID_FILE
    if not path.exists():
        with atomic_file(path) as file:
            file.write(secrets.token_hex(16).encode())
    return path.read_text(encoding="ascii")


def _read(out: RemotePath) -> dict[str, Any] | None:
    try:
        entry = json.loads((out / RUN_FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        entry = None
    return entry if isinstance(entry, dict) else {"is_running": True}


def _write(out: RemotePath, work: Path, *, is_running: bool) -> None:
    entry = {"id": _run_id(work), "host": socket.gethostname(), "work_folder": str(work), "is_running": is_running}
    with atomic_file(out / RUN_FILE) as file:
        file.write(json.dumps(entry).encode())


def _refuse_other(out: RemotePath, work: Path, entry: dict[str, Any] | None) -> None:
    if entry is None or entry.get("id") == _run_id(work) or not entry.get("is_running", True):
        return
    raise ConfigError(
        f"{out} is being written by another run, on {entry.get('host')} with its work folder "
        f"{entry.get('work_folder')}; wait for its end, or, if it was killed, continue it there or remove {RUN_FILE} "
        f"from {out}"
    )
