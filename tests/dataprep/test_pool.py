"""Work comes back in the order of the tasks, whoever does it, and a dead worker is an error with advice."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dataprep.errors import ConfigError, DataprepError
from dataprep.pool import run_ordered


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
