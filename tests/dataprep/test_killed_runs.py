"""Runs killed by SIGKILL at random moments continue to the files of an uninterrupted run, byte for byte."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dataprep.assembly
import dataprep.blocks
from dataprep import convert, ledger, open_shards, verify
from dataprep.conversion import FINISHED_NAME, PARTS_FOLDER
from dataprep.errors import ConfigError, DataprepError, ShardError
from tests.dataprep.conversions import make_options, read_files, text_row, write_rows, write_varied

OPTIONS: dict[str, Any] = {"on_bad": "skip", "max_bad_ratio": 1.0, "split": "val=0.4"}
MOMENTS = 50
_context = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def preloaded() -> None:
    """Let the processes that will be killed start with everything imported: the moments fall into the work."""
    _context.set_forkserver_preload(["dataprep.conversion", "tests.dataprep.conversions"])


@pytest.fixture(autouse=True)
def small_chunks_and_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.blocks.CHUNK_ROWS", 4)
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", 1500)


def convert_elsewhere(source: str, out: Path, jobs: int, started: Any) -> None:
    """Convert in a process that is there to be killed."""
    dataprep.blocks.CHUNK_ROWS, dataprep.assembly.SHARD_BYTES = 4, 1500
    started.set()
    convert([source], out, make_options(**OPTIONS, jobs=jobs))


def run_for(source: str, out: Path, jobs: int, seconds: float | None) -> int:
    """Convert in another process and kill it after some time; return its exit code."""
    started = _context.Event()
    process = _context.Process(target=convert_elsewhere, args=(source, out, jobs, started))
    process.start()
    assert started.wait(60)
    if seconds is None:
        process.join(120)
    else:
        time.sleep(seconds)
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_varied(tmp_path_factory.mktemp("varied"))


@pytest.fixture
def reference(source: str, small_chunks_and_shards: None) -> dict[str, bytes]:
    out = Path(source).parent / "reference"
    if not out.exists():
        convert([source], out, make_options(**OPTIONS))
    return read_files(out)


def kill_and_continue(
    source: str, out: Path, reference: dict[str, bytes], *, jobs: int, moments: list[float], duration: float
) -> int:
    """Kill a run at each moment, a share of its duration, and continue it; return how many died before their end."""
    num_killed = 0
    for number, moment in enumerate(moments):
        code = run_for(source, out, jobs, moment * duration)
        num_killed += code == -signal.SIGKILL
        if not (out / "manifest.json").exists():
            assert code == -signal.SIGKILL
            with pytest.raises(ShardError):
                open_shards(out)
            assert not verify(out).ok
        if (out / PARTS_FOLDER / FINISHED_NAME).exists() or not (out / "manifest.json").exists():
            # Every fifth with the workers of the run before, which take seconds to start; the others in one process.
            convert([source], out, make_options(**OPTIONS, jobs=1 if number % 5 else jobs))
        assert read_files(out) == reference, (jobs, moment)
        shutil.rmtree(out)
    return num_killed


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_runs_killed_at_random_moments_continue_to_the_same_bytes(
    source: str, reference: dict[str, bytes], tmp_path: Path, jobs: int
) -> None:
    durations = []
    for number in range(3):
        started_s = time.perf_counter()
        assert run_for(source, tmp_path / str(number), jobs, None) == 0
        durations.append(time.perf_counter() - started_s)
        assert read_files(tmp_path / str(number)) == reference
    moments = np.random.default_rng(jobs).uniform(0, 1, MOMENTS).tolist()
    out = tmp_path / "out"
    num_killed = kill_and_continue(source, out, reference, jobs=jobs, moments=moments, duration=min(durations))
    assert num_killed > MOMENTS // 2


def test_a_run_killed_while_it_cleans_up_is_finished_by_the_next(
    source: str, reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def die(folder: Path) -> None:
        next(folder.glob("part-*")).unlink()
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("dataprep.conversion._remove_parts", die)
        with pytest.raises(KilledError):
            convert([source], tmp_path / "out", make_options(**OPTIONS))
    assert (tmp_path / "out" / PARTS_FOLDER / FINISHED_NAME).is_file()
    with pytest.raises(ConfigError, match="already holds complete shards"):
        convert([source], tmp_path / "out", make_options(**OPTIONS, max_length=99))
    assert ledger(tmp_path / "out").ok
    manifest = convert([source], tmp_path / "out", make_options(**OPTIONS, jobs=2))
    assert manifest == open_shards(tmp_path / "out").manifest
    assert read_files(tmp_path / "out") == reference


def test_a_run_killed_while_it_cleans_up_is_not_finished_with_other_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    with monkeypatch.context() as patch:
        patch.setattr("dataprep.conversion._remove_parts", lambda folder: None)
        convert([rows], tmp_path / "out", make_options())
    write_rows(tmp_path / "rows.jsonl", [text_row(2)])
    with pytest.raises(ConfigError, match="already holds complete shards"):
        convert([rows], tmp_path / "out", make_options())


@pytest.mark.parametrize("folder", [".", PARTS_FOLDER])
@pytest.mark.parametrize("moment", [1, 6, 7, 20, 25])
def test_a_folder_removed_during_the_run_is_a_clear_error(
    source: str, reference: dict[str, bytes], tmp_path: Path, folder: str, moment: int
) -> None:
    calls = 0

    def remove(stage: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            shutil.rmtree(tmp_path / "out" / folder)

    with pytest.raises(DataprepError, match=r"cannot write .*No such file or directory.*leave it alone during a run"):
        convert([source], tmp_path / "out", make_options(**OPTIONS), progress=remove)
    assert not (tmp_path / "out" / "manifest.json").exists()
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    convert([source], tmp_path / "out", make_options(**OPTIONS))
    assert read_files(tmp_path / "out") == reference
