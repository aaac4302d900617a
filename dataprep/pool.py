"""Run one function over many tasks, in order, in this process or in a pool of processes.

Results come in the order of the tasks whatever the number of processes, and only a few tasks are held at a time.
Workers build what they need once, from a picklable recipe. They do not hear Ctrl-C, which the caller answers by ending
them, and they do not outlive the caller.

Workers are spawned, so that they inherit no threads, locks or connections. That takes half a second. Where the caller
allows it and this process is seen to hold none of these (:func:`can_fork`), they are forked, within milliseconds.
"""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.connection
import os
import random
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar

from dataprep.errors import DataprepError

Task = TypeVar("Task")
Result = TypeVar("Result")

_TASKS_AHEAD = 3
_LONGEST_END_S = 5.0
# With pools of threads, locks or connections of their own, whether they run already or not.
_UNSAFE = frozenset({"av", "cv2", "decord", "grpc", "polars", "pyarrow", "sqlite3", "tokenizers", "torch"})
_state: list[Any] = []
_is_working = False  # of a worker: whether it is busy with a task, and not with handing a result over
_is_dropped = False  # of a worker: whether nobody wants its work any more


def run_ordered(
    work: Callable[[Any, Task], Result],
    tasks: Iterable[Task],
    *,
    build: Callable[[], Any],
    jobs: int = 1,
    may_fork: bool = False,
) -> Iterator[Result]:
    """Yield ``work(state, task)`` for each task, in order.

    Args:
        work: A module-level function.
        tasks: Picklable; consumed as a stream.
        build: Makes the state that every call is given, once per process; picklable.
        jobs: Number of processes; 1 works in this one.
        may_fork: As of :func:`open_pool`.

    Raises:
        DataprepError: If a worker process dies.
    """
    with open_pool(build=build, jobs=jobs, may_fork=may_fork) as pool:
        yield from pool.run_ordered(work, tasks)


class Engine(Protocol):
    """What runs functions over tasks: processes of this machine, or workers of a cluster."""

    def run_ordered(self, work: Callable[[Any, Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield ``work(state, task)`` for each task, in order; the state is made once per worker."""


class Pool:
    """Runs functions over tasks; all of them are given one state, which each process makes once."""

    def __init__(self, build: Callable[[], Any], jobs: int, executor: ProcessPoolExecutor | None, seed: str) -> None:
        self._others = set(multiprocessing.active_children())
        self._build = build
        self._jobs = jobs
        self._executor = executor
        self._seed = seed
        self._own: list[Any] = []
        self._is_started = False

    def run_ordered(self, work: Callable[[Any, Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield ``work(state, task)`` for each task, in order; see :func:`run_ordered`."""
        if self._executor is None:
            if not self._own:
                self._own.append(self._build())
            for task in tasks:
                yield work(self._own[0], task)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(self._submit(self._executor, work, task))
                if len(waiting) >= _TASKS_AHEAD * self._jobs:
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

    def _submit(self, executor: ProcessPoolExecutor, work: Callable[[Any, Task], Result], task: Task) -> Future[Result]:
        try:
            with _deaf_to_interrupts(), _one_hash_seed(self._seed):
                # All processes at once: one that is started while the pool sees another one die breaks its queues.
                for _ in range(0 if self._is_started else self._jobs):
                    executor.submit(_do_nothing)
                self._is_started = True
                return executor.submit(_call, work, task)
        except (OSError, ValueError) as error:  # a process died while they were started
            raise BrokenProcessPool from error

    def kill_workers(self) -> None:
        """Kill the processes of this pool that are still there."""
        for process in multiprocessing.active_children():
            if process not in self._others:
                process.kill()


@contextmanager
def open_pool(*, build: Callable[[], Any], jobs: int, may_fork: bool = False) -> Iterator[Pool]:
    """Keep processes for several runs of tasks.

    Args:
        build: Makes the state that every call is given, once per process; picklable.
        jobs: Number of processes; 1 works in this one.
        may_fork: Whether processes may be forked where :func:`can_fork` says so. The caller promises that it holds
            nothing which two processes must not share: no lock, no connection, no file that a worker would write to.
    """
    seed = str(random.SystemRandom().randrange(1, 1 << 32))
    if jobs <= 1:
        yield Pool(build, jobs, None, seed)
        return
    forks = may_fork and can_fork()
    context = multiprocessing.get_context("fork" if forks else "spawn")
    told, teller = context.Pipe(duplex=False)
    initial = (build, told, teller if forks else None)  # a forked process gets all that this one holds
    with told:
        executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_build_state, initargs=initial)
        pool = Pool(build, jobs, executor, seed)
        try:
            if forks:
                _fork_all(executor)
            yield pool
        finally:
            teller.close()  # work that nobody waits for is dropped: it may take a minute
            # A worker that was killed while it waited for work leaves the queue locked, and the others never hear that
            # this is the end.
            watchdog = threading.Timer(_LONGEST_END_S, pool.kill_workers)
            watchdog.daemon = True
            watchdog.start()
            executor.shutdown()
            watchdog.cancel()


def can_fork() -> bool:
    """Whether this process can be forked as it is: it has one thread, and loaded nothing that a fork would break.

    Threads are counted by the system, too: those of numerical libraries are none of Python's.
    """
    if not sys.platform.startswith("linux") or threading.active_count() > 1 or not _UNSAFE.isdisjoint(sys.modules):
        return False
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - names are enough


def _fork_all(executor: ProcessPoolExecutor) -> None:
    """Fork the processes before the first thread of the pool starts, and before the caller goes on."""
    gc.freeze()  # no process collects, and closes, what another one dropped
    try:
        with _deaf_to_interrupts():
            executor.submit(os.getpid)
    finally:
        gc.unfreeze()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile never hear Ctrl-C; this one hears it afterwards.

    A worker that is interrupted while it starts dies with its task half sent, and the pool then waits for ever.
    """
    heard: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread() and before is not None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    if is_main:
        # The mask is that of this thread; a thread of numpy's may hear for it.
        signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if heard:
            signal.raise_signal(signal.SIGINT)


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


class _Dropped(BaseException):
    """Work was dropped in the middle; whoever asked for it has gone, so nobody sees this."""


def _build_state(build: Callable[[], Any], told: Connection, teller: Connection | None) -> None:
    if teller is not None:
        teller.close()  # what is told ends when the caller, and nobody else, holds the other end no more
    signal.signal(signal.SIGUSR1, _drop_work)
    threading.Thread(target=_listen, args=(told,), daemon=True).start()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread a worker: more only get in each other's way
    _state[:] = [build()]


def _do_nothing() -> None:
    """Be a task that is there to start a process."""


def _call(work: Callable[[Any, Task], Result], task: Task) -> Result:
    global _is_working
    if _is_dropped:
        raise _Dropped
    _is_working = True
    try:
        return work(_state[0], task)
    finally:
        _is_working = False


def _listen(told: Connection) -> None:
    """End this worker when the process that started it is gone; drop its work when that process wants no more of it.

    A worker that is told so does not die: in the middle of handing a result over, its death would stop the pool.
    """
    global _is_dropped
    parent = multiprocessing.parent_process()
    assert parent is not None
    if parent.sentinel not in multiprocessing.connection.wait([parent.sentinel, told]):
        _is_dropped = True
        os.kill(os.getpid(), signal.SIGUSR1)
        multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _drop_work(number: int, frame: object) -> None:
    if _is_working:  # signals are handled in the thread that works: it cannot have ended meanwhile
        raise _Dropped
