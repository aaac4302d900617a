"""Work comes back in the order of the tasks, whoever does it, and a dead worker is an error with advice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import dataprep
from dataprep.errors import ConfigError, DataprepError
from dataprep.pool import _one_hash_seed, run_ordered


def build() -> dict[str, int]:
    return {"offset": 100, "process": os.getpid(), "calls": 0}


def add(state: dict[str, int], task: int) -> tuple[int, int]:
    state["calls"] += 1
    return state["offset"] + task, state["process"]


def end_process(state: object, task: int) -> int:
    os._exit(3)


def refuse(state: object, task: int) -> int:
    raise ConfigError(f"task {task} cannot be done")


def test_results_come_in_order_and_state_is_built_once() -> None:
    states = []

    def build_here() -> dict[str, int]:
        states.append(build())
        return states[-1]

    assert [value for value, _ in run_ordered(add, range(5), build=build_here)] == [100, 101, 102, 103, 104]
    assert [state["calls"] for state in states] == [5]


def test_tasks_are_taken_as_they_are_needed() -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    results = run_ordered(add, tasks(), build=build)
    next(results)
    assert taken == [0]


def test_two_processes_give_the_same_in_the_same_order() -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(40):
            taken.append(number)
            yield number

    results = run_ordered(add, tasks(), build=build, jobs=2)
    first = next(results)
    assert len(taken) < 10, "only a few tasks may be held at a time"
    found = [first, *results]
    assert [value for value, _ in found] == [100 + number for number in range(40)]
    assert os.getpid() not in {process for _, process in found}


def test_an_error_of_a_worker_arrives_as_it_was() -> None:
    with pytest.raises(ConfigError, match="task 0 cannot be done"):
        list(run_ordered(refuse, range(3), build=build, jobs=2))


def test_a_worker_that_dies_is_an_error_with_advice() -> None:
    with pytest.raises(DataprepError, match=r"a worker process died .* \(-j 1\)"):
        list(run_ordered(end_process, range(3), build=build, jobs=2))


SLOW_RUN = """
import os, time
from dataprep.pool import _one_hash_seed, run_ordered

def build():
    time.sleep(1)

def work(state, task):
    time.sleep(0.5)

def tasks():
    yield bytes(1 << 20)
    print("a worker was started", flush=True)
    while True:
        yield bytes(1 << 20)

if __name__ == "__main__":
    for _ in run_ordered(work, tasks(), build=build, jobs=2, may_fork=MAY_FORK):
        print("working", flush=True)
"""


@pytest.fixture(params=[False, True], ids=["spawned", "forked"])
def slow_run(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A process that has just started its first worker and would go on for ever, in a process group of its own."""
    (tmp_path / "run.py").write_text(SLOW_RUN.replace("MAY_FORK", str(request.param)))
    environment = {**os.environ, "PYTHONPATH": str(Path(dataprep.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "run.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "a worker was started\n"
        yield process
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.timeout(60)
def test_an_interrupt_ends_a_run_whose_workers_are_still_starting(slow_run: subprocess.Popen[str]) -> None:
    os.killpg(slow_run.pid, signal.SIGINT)
    _, errors = slow_run.communicate(timeout=40)
    assert slow_run.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1, "the workers have nothing to say"


@pytest.mark.timeout(60)
def test_workers_do_not_outlive_the_process_that_started_them(slow_run: subprocess.Popen[str]) -> None:
    assert slow_run.stdout is not None
    assert slow_run.stdout.readline() == "working\n"
    slow_run.kill()
    slow_run.communicate(timeout=40)  # comes back when the last process that holds the pipes has ended


def test_processes_of_one_run_hash_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)

    def hash_in_a_process(seed: str) -> bytes:
        with _one_hash_seed(seed):
            return subprocess.run([sys.executable, "-c", "print(hash('text'))"], stdout=-1, check=True).stdout

    assert hash_in_a_process("7") == hash_in_a_process("7") != hash_in_a_process("8")
    assert "PYTHONHASHSEED" not in os.environ
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert hash_in_a_process("7") == hash_in_a_process("8"), "a seed that the user has set stays"


FORKING_RUN = """
import os, sys, threading
from dataprep.pool import run_ordered

marks = []

def work(state, task):
    return task, list(marks), hash("text")

def build():
    return None

def run():
    found = list(run_ordered(work, range(30), build=build, jobs=2, may_fork=True))
    assert [task for task, _, _ in found] == list(range(30))
    assert len({hashed for _, _, hashed in found}) == 1
    return found[-1][1]

if __name__ == "__main__":
    marks.append("seen by forked processes alone")
    print("out", end="")  # in a buffer, which no other process is to write
    SETTING
    print("forked" if run() else "spawned")
"""


@pytest.mark.parametrize(
    ("setting", "start"),
    [
        ("pass", "forked"),
        ("import sqlite3", "spawned"),
        ("import numpy", "spawned"),  # whose library has threads; where it has none, it may be forked
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", "spawned"),
    ],
)
def test_processes_are_forked_where_nothing_speaks_against_it(tmp_path: Path, setting: str, start: str) -> None:
    (tmp_path / "run.py").write_text(FORKING_RUN.replace("SETTING", setting))
    environment = {**os.environ, "PYTHONPATH": str(Path(dataprep.__file__).parents[1])}
    done = subprocess.run([sys.executable, str(tmp_path / "run.py")], capture_output=True, text=True, env=environment)
    if setting == "import numpy" and done.stdout == "outforked\n":
        pytest.skip("numpy starts no threads here")
    assert (done.stdout, done.stderr) == (f"out{start}\n", "")


def sleep_long(state: object, task: int) -> int:
    time.sleep(600 if task else 0)
    return task


@pytest.mark.timeout(30)
def test_work_that_nobody_waits_for_is_dropped() -> None:
    results = run_ordered(sleep_long, range(9), build=build, jobs=2)
    assert next(results) == 0
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 10
