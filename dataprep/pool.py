"""Run one function over many tasks, in order, in this process or in a pool of processes.

Results come in the order of the tasks whatever the number of processes, and only a few tasks are held at a time.
Workers are spawned, so that they inherit no threads, and build what they need once, from a picklable recipe. They do
not hear Ctrl-C, which the caller answers by ending them, and they do not outlive the caller.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import random
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from dataprep.errors import DataprepError

Task = TypeVar("Task")
Result = TypeVar("Result")

_TASKS_AHEAD = 3
_state: list[Any] = []


def run_ordered(
    work: Callable[[Any, Task], Result],
    tasks: Iterable[Task],
    *,
    build: Callable[[], Any],
    jobs: int = 1,
) -> Iterator[Result]:
    """Yield ``work(state, task)`` for each task, in order.

    Args:
        work: A module-level function.
        tasks: Picklable; consumed as a stream.
        build: Makes the state that every call is given, once per process; picklable.
        jobs: Number of processes; 1 works in this one.

    Raises:
        DataprepError: If a worker process dies.
    """
    if jobs <= 1:
        state = build()
        for task in tasks:
            yield work(state, task)
        return
    context = multiprocessing.get_context("spawn")
    seed = str(random.SystemRandom().randrange(1, 1 << 32))
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_build_state, initargs=(build,)) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                with _deaf_to_interrupts(), _one_hash_seed(seed):
                    waiting.append(pool.submit(_call, work, task))
                if len(waiting) >= _TASKS_AHEAD * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise DataprepError(
                "a worker process died (out of memory, or killed); run the command again with fewer jobs (-j 1): "
                "a conversion continues where it stopped"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile never hear Ctrl-C; this one hears it afterwards.

    A worker that is interrupted while it starts dies with its task half sent, and the pool then waits for ever.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def _one_hash_seed(seed: str) -> Iterator[None]:
    """Give processes that are started meanwhile one seed of ``hash``, so that their hashes can be compared.

    It is drawn for each run: data cannot be made up to collide.
    """
    if "PYTHONHASHSEED" in os.environ:
        yield
        return
    os.environ["PYTHONHASHSEED"] = seed
    try:
        yield
    finally:
        del os.environ["PYTHONHASHSEED"]


def _build_state(build: Callable[[], Any]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread a worker: more only get in each other's way
    _state[:] = [build()]


def _call(work: Callable[[Any, Task], Result], task: Task) -> Result:
    return work(_state[0], task)


def _end_with_parent() -> None:
    """End this worker when the process that started it is gone: nobody would give it work, or end it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
