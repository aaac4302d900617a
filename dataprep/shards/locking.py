"""One run at a time per output folder, and none while workers of a killed run are still alive in it.

A killed process cannot tell its workers to stop. They end by themselves, but until then they may write a file that the
next run has written already. So the process of a run holds one lock, its workers share another, and a new run waits
until it could have had both.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from dataprep.errors import ConfigError
from dataprep.shards.storage import Place

State = TypeVar("State")

RUN_LOCK = "run.lock"
WORKER_LOCK = "workers.lock"
_LONGEST_WAIT_S = 60.0
_STEP_S = 0.02
_held_by_worker: list[int] = []


@contextmanager
def hold_folder(folder: Path, out: Place) -> Iterator[None]:
    """Hold the folder that the locks lie in for the duration of a run.

    Args:
        folder: Where the lock files lie; it must exist.
        out: The output folder, for messages.

    Raises:
        ConfigError: If another run holds it, or workers of a killed run do not end.
    """
    run = _open(folder / RUN_LOCK)
    try:
        if not _lock(run, fcntl.LOCK_EX):
            raise ConfigError(f"{out} is being written by another run; wait for its end or choose another --out")
        _wait_for_workers(folder, out)
        yield
    finally:
        os.close(run)


@contextmanager
def hold_directory(directory: Path) -> Iterator[None]:
    """Hold a finished shard directory while it is being replaced.

    Raises:
        ConfigError: If another run holds it, or has just replaced it.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        is_held = _lock(descriptor, fcntl.LOCK_EX)
        if not is_held or not os.path.samestat(os.fstat(descriptor), directory.stat()):
            raise ConfigError(f"{directory} is being written by another run; wait for its end")
        yield
    finally:
        os.close(descriptor)


def _wait_for_workers(folder: Path, out: Place) -> None:
    workers = _open(folder / WORKER_LOCK)
    try:
        give_up_s = time.monotonic() + _LONGEST_WAIT_S
        while not _lock(workers, fcntl.LOCK_EX):
            if time.monotonic() > give_up_s:
                raise ConfigError(
                    f"{out} is still used by workers of an earlier run; end them, or choose another --out"
                )
            time.sleep(_STEP_S)
    finally:
        os.close(workers)


def build_in_worker(folder: Path, build: Callable[[], State]) -> State:
    """Build the state of a worker that writes below a folder; in the process of the run itself this is ``build()``.

    From here on the next run waits for this worker. If its own run has died before, the worker ends.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and not _held_by_worker:
        descriptor = share_folder(folder)
        # Looked at while the lock is held: a run that is alive now keeps others out, and later the lock does.
        if not parent.is_alive():
            os._exit(1)
        _held_by_worker.append(descriptor)
    return build()


def share_folder(folder: Path) -> int:
    """Let the next run wait until this process has ended; returns the descriptor of the lock, -1 for none."""
    try:
        descriptor = _open(folder / WORKER_LOCK)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        return -1  # the folder has gone, or its file system has no locks
    return descriptor


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _lock(descriptor: int, kind: int) -> bool:
    """Take a lock at once, or say that somebody else has it. A file system without locks gives it to everybody."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
