"""Conversion on a Ray cluster of this machine: the same bytes, the same errors, and workers that die."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert, verify
from dataprep.errors import ConfigError, DataprepError, SourceError
from dataprep.ray_engine import RayEngine, RayPlaces, open_ray
from tests.dataprep.conversions import SKIP, make_options, read_files, text_row, write_rows
from tests.dataprep.store_server import free_port


def test_a_run_on_ray_writes_the_bytes_of_one_process(
    varied: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    import ray

    convert([str(varied / "rows.jsonl")], tmp_path / "out", make_options(**SKIP, engine="ray", jobs=2))
    assert read_files(tmp_path / "out") == reference
    assert not ray.is_initialized()


def test_without_ray_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    with pytest.raises(ConfigError, match=r"Ray, which is not installed.*pip install 'dataprep-vl\[ray\]'"):
        convert([source], tmp_path / "out", make_options(engine="ray"))


def test_an_address_without_ray_is_refused() -> None:
    with pytest.raises(ConfigError, match="--ray-address head:6379 is for a Ray cluster; add --engine ray"):
        make_options(ray_address="head:6379")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster that the tests join."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
        yield ray
        ray.shutdown()


def build_base() -> int:
    return 100


def build_badly() -> int:
    raise ConfigError("no such model")


def add(base: int, task: int) -> int:
    if task == 13:
        raise SourceError("thirteen")
    return base + task


def die_once(base: int, marker: Path) -> int:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return base


def die(base: int, task: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_results_come_in_order_and_errors_as_they_are(tmp_path: Path) -> None:
    with open_ray(build=build_base, jobs=2, where=RayPlaces(None, tmp_path, tmp_path, [])) as engine:
        taken: list[int] = []
        results = engine.run_ordered(add, (taken.append(n) or n for n in range(100, 200)))
        assert next(results) == 200
        assert len(taken) <= 6
        assert list(results) == list(range(201, 300))
        with pytest.raises(SourceError, match=r"^thirteen$"):
            list(engine.run_ordered(add, range(20)))
    assert not list(tmp_path.glob("probe-*"))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_worker_that_dies_is_started_again_and_then_given_up(tmp_path: Path) -> None:
    with open_ray(build=build_base, jobs=1, where=RayPlaces(None, tmp_path, tmp_path, [])) as engine:
        assert list(engine.run_ordered(die_once, [tmp_path / name for name in "abab"])) == [100] * 4
    with (
        open_ray(build=build_base, jobs=1, where=RayPlaces(None, tmp_path, tmp_path, [])) as engine,
        pytest.raises(DataprepError, match=r"a Ray worker died 4 times.*a conversion continues where it stopped"),
    ):
        list(engine.run_ordered(die, [1]))


@pytest.mark.slow
def test_a_conversion_survives_the_death_of_a_worker(
    cluster: Any, varied: Path, reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = 0
    submit = RayEngine._submit

    def kill_and_submit(self: RayEngine, work: Any, task: Any) -> Any:
        nonlocal killed
        reference = submit(self, work, task)
        if killed < 2:
            cluster.kill(next(iter(self._loads)), no_restart=False)
            killed += 1
        return reference

    monkeypatch.setattr(RayEngine, "_submit", kill_and_submit)
    monkeypatch.chdir(tmp_path)  # the workers stand elsewhere
    convert([str(varied / "rows.jsonl")], "out", make_options(**SKIP, engine="ray", jobs=2))
    assert killed == 2
    assert read_files(tmp_path / "out") == reference
    assert verify(tmp_path / "out").ok


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_what_a_worker_cannot_see_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    node = socket.gethostname()
    with open_ray(build=build_base, jobs=1, where=RayPlaces(None, tmp_path, tmp_path, [source])) as engine:
        next(tmp_path.glob("probe-*")).unlink()
        with pytest.raises(ConfigError, match=f"the Ray worker on {node} cannot read {tmp_path}/probe-.*No such file"):
            list(engine.run_ordered(add, [1]))
    with (
        open_ray(build=build_base, jobs=1, where=RayPlaces(None, tmp_path, tmp_path / "x", [])) as engine,
        pytest.raises(
            ConfigError, match=f"does not see {tmp_path}/x; put data files, media, the model folder and --out"
        ),
    ):
        list(engine.run_ordered(add, [1]))
    with monkeypatch.context() as patch:
        patch.setattr("dataprep.ray_engine.__version__", "0.0.9")
        with (
            open_ray(build=build_base, jobs=1, where=RayPlaces(None, tmp_path, tmp_path, [source])) as engine,
            pytest.raises(ConfigError, match=r"has dataprep .*, and the run has 0\.0\.9; install the same release"),
        ):
            list(engine.run_ordered(add, [1]))
    with (
        open_ray(build=build_badly, jobs=1, where=RayPlaces(None, tmp_path, tmp_path, [source])) as engine,
        pytest.raises(ConfigError, match=r"^no such model$"),
    ):
        list(engine.run_ordered(add, [1]))


def test_a_cluster_that_is_not_there_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    options = make_options(engine="ray", ray_address=f"127.0.0.1:{free_port()}")
    with pytest.raises(ConfigError, match=r"the Ray cluster 127\.0\.0\.1:\d+ cannot be joined \(.*refused\); check"):
        convert([source], tmp_path / "out", options)
