"""Run the tasks of a conversion on a Ray cluster: the same functions, over the same tasks, in the same order.

Each worker is a Ray actor that makes its state once. A worker that dies is started again, and its tasks with it, which
changes nothing: a task is a pure function, and its files appear whole or not at all. Rows travel with the tasks;
media, the model folder and the parts are read where they lie, so all nodes must see them under the same paths. That is
checked on every worker before its first task.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dataprep import __version__
from dataprep.errors import ConfigError, DataprepError, StorageError
from dataprep.shards.locking import share_folder
from dataprep.shards.storage import Place

Task = TypeVar("Task")
Result = TypeVar("Result")

_TASKS_AHEAD = 3
_MOST_RESTARTS = 3
_FIRST_WORKER_S = 300.0
_CONNECT_S = 10.0
_DIED = (
    "a Ray worker died {} times (out of memory, or killed); give it more memory or use fewer jobs, and run the command "
    "again: a conversion continues where it stopped"
)


class _Failure:
    """An exception on its way to the process that asked; Ray would wrap it."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Worker:
    """Runs functions over tasks; one actor of the cluster."""

    def __init__(self, build: Callable[[], Any], folder: Path, working_folder: str) -> None:
        with suppress(OSError):
            os.chdir(working_folder)  # what relative paths begin at, also those in messages
        self._build = build
        self._folder = folder
        self._state: list[Any] = []
        self._lock = share_folder(folder)  # the next run waits for this worker

    def check(self, token: str, out: Place, sizes: dict[str, int]) -> str | None:
        """Return why this worker cannot do the work of that process, or None."""
        if not token.startswith(f"{__version__} "):
            version = token.partition(" ")[0]
            return f"has dataprep {__version__}, and the run has {version}; install the same release on all nodes"
        shared = "put data files, media, the model folder and --out (or --work-dir) on storage that all nodes see"
        try:
            if (self._folder / _probe_name(token)).read_text(encoding="ascii") != token:
                return f"sees another {self._folder}; {shared}"
            for path, size in sizes.items():
                if Path(path).stat().st_size != size:
                    return f"sees another {path}; {shared}"
            if not out.exists():
                return f"does not see {out}; {shared}"
        except OSError as error:
            return f"cannot read {error.filename} ({error.strerror}); {shared}"
        except StorageError as error:
            return f"cannot use the store: {error}"
        return None

    def call(self, work: Callable[[Any, Any], Any], task: Any) -> Any:
        """Return what the function makes of the task, or the failure."""
        try:
            if not self._state:
                self._state.append(self._build())
            return work(self._state[0], task)
        except Exception as error:
            return _Failure(error)

    def place(self) -> str:
        """Return the name of the node."""
        return socket.gethostname()


def _probe_name(token: str) -> str:
    return f"probe-{token.rpartition(' ')[2]}"


class RayEngine:
    """Runs functions over tasks on the workers of a cluster; see :class:`dataprep.pool.Pool`."""

    def __init__(self, ray: Any, workers: Sequence[Any], checks: Sequence[Any]) -> None:
        self._ray = ray
        self._starting = dict(zip(checks, workers, strict=True))
        self._loads: dict[Any, set[Any]] = {}

    def run_ordered(self, work: Callable[[Any, Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield ``work(state, task)`` for each task, in order.

        Raises:
            DataprepError: If a worker dies again and again.
            ConfigError: If a worker cannot see the files of the run.
        """
        waiting: deque[Any] = deque()
        try:
            for task in tasks:
                self._welcome()
                waiting.append(self._submit(work, task))
                if len(waiting) >= _TASKS_AHEAD * len(self._loads):
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            for reference in waiting:
                self._ray.cancel(reference)

    def _welcome(self) -> None:
        """Take in workers that have started meanwhile; wait for one if there is none yet."""
        while self._starting:
            wait_s = 0.0 if self._loads else _FIRST_WORKER_S
            ready, _ = self._ray.wait(list(self._starting), timeout=wait_s)
            if not ready and not self._loads:
                raise ConfigError(
                    f"no Ray worker started within {_FIRST_WORKER_S:.0f} s; look for free CPUs with 'ray status', or "
                    f"use fewer jobs"
                )
            if not ready:
                return
            worker = self._starting.pop(ready[0])
            problem = self._get(ready[0])
            if problem is not None:
                raise ConfigError(f"the Ray worker on {self._get(worker.place.remote())} {problem}")
            self._loads[worker] = set()

    def _submit(self, work: Callable[[Any, Task], Result], task: Task) -> Any:
        """Give a task to the worker with the fewest."""
        for load in self._loads.values():
            if load:
                done, _ = self._ray.wait(list(load), num_returns=len(load), timeout=0, fetch_local=False)
                load.difference_update(done)
        worker = min(self._loads, key=lambda one: len(self._loads[one]))
        reference = worker.call.remote(work, task)
        self._loads[worker].add(reference)
        return reference

    def _result(self, reference: Any) -> Any:
        result = self._get(reference)
        if isinstance(result, _Failure):
            raise result.error
        return result

    def _get(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            raise DataprepError(_DIED.format(_MOST_RESTARTS + 1)) from error
        except self._ray.exceptions.RayError as error:
            raise DataprepError(
                f"the Ray cluster failed ({_first_line(error)}); look at 'ray status', then run the command again: a "
                f"conversion continues where it stopped"
            ) from error


@dataclass(frozen=True, slots=True)
class RayPlaces:
    """Where a run works, and what all nodes must see.

    Attributes:
        address: Of the cluster; None joins the one that Ray finds, or starts one on this machine for this run.
        folder: Where parts are kept.
        out: The output folder, which is there.
        shared: Data files, because media lie beside them.
    """

    address: str | None
    folder: Path
    out: Place
    shared: Sequence[str]


@contextmanager
def open_ray(*, build: Callable[[], Any], jobs: int, where: RayPlaces) -> Iterator[RayEngine]:
    """Keep workers on a Ray cluster for several runs of tasks.

    Args:
        build: Makes the state that every call is given, once per worker; picklable.
        jobs: Number of workers, each with one CPU; those that the cluster has no room for start when it has.
        where: The cluster and the places.

    Raises:
        ConfigError: If Ray is not installed, or the cluster cannot be joined.
    """
    ray = _import_ray()
    started_here = not ray.is_initialized()
    if started_here:
        _join(ray, jobs, where.address)
    probe = where.folder / _probe_name(token := f"{__version__} {secrets.token_hex(8)}")
    workers: list[Any] = []
    try:
        probe.write_text(token, encoding="ascii")
        sizes = {path: Path(path).stat().st_size for path in map(os.path.abspath, where.shared)}
        # Hashes of Python's own may be compared between workers.
        seed = os.environ.get("PYTHONHASHSEED", str(secrets.randbelow((1 << 32) - 1) + 1))
        variables = {"PYTHONHASHSEED": seed, "TOKENIZERS_PARALLELISM": "false"}
        kind = ray.remote(_Worker).options(
            num_cpus=1,
            max_restarts=_MOST_RESTARTS,
            max_task_retries=_MOST_RESTARTS,
            runtime_env={"env_vars": variables},
        )
        workers += [kind.remote(build, where.folder, str(Path.cwd())) for _ in range(jobs)]
        yield RayEngine(ray, workers, [worker.check.remote(token, where.out, sizes) for worker in workers])
    finally:
        for worker in workers:
            ray.kill(worker)
        probe.unlink(missing_ok=True)
        if started_here:
            ray.shutdown()


def _import_ray() -> Any:
    # Ray warns of changes to come in how it hides GPUs, which are not used here.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            f"--engine ray needs Ray, which is not installed ({error}); run: pip install 'dataprep-vl[ray]'"
        ) from error
    return ray


def _join(ray: Any, jobs: int, address: str | None) -> None:
    """Join a cluster; where none is named or found, start one on this machine that has room for the workers."""
    quiet = {"include_dashboard": False, "log_to_driver": False, "configure_logging": False, "logging_level": "ERROR"}
    named = address or os.environ.get("RAY_ADDRESS")
    try:
        if named is not None:
            _check_reachable(named)
            ray.init(address=named, **quiet)
            return
        try:
            ray.init(num_cpus=jobs, **quiet)
        except ValueError:  # there is a cluster already, whose CPUs are what they are
            ray.init(**quiet)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the Ray cluster {named or 'on this machine'} cannot be joined ({_first_line(error)}); check "
            f"--ray-address, and RAY_AUTH_MODE=token where the cluster asks for a token"
        ) from error


def _check_reachable(address: str) -> None:
    """Raise OSError if nobody answers at an address: Ray itself would try for minutes."""
    host, separator, port = address.rpartition("//")[2].rpartition(":")
    if separator and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
