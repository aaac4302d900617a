"""Updates killed by SIGKILL at random moments leave the old shards or the new ones, and the next run completes them."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dataprep.assembly
import dataprep.blocks
from dataprep import convert, verify
from dataprep.updating import update
from tests.dataprep.conversions import SKIP, make_options, read_files, text_row, write_rows, write_varied
from tests.dataprep.test_killed_runs import _context, preloaded  # noqa: F401

MOMENTS = 25


def update_elsewhere(source: str, out: Path, jobs: int, started: Any) -> None:
    """Update in a process that is there to be killed."""
    dataprep.blocks.CHUNK_ROWS, dataprep.assembly.SHARD_BYTES = 4, 1500
    started.set()
    update([source], out, make_options(jobs=jobs, **SKIP))


def run_for(source: str, out: Path, jobs: int, seconds: float | None) -> int | None:
    """Update in another process and kill it after some time; return its exit code."""
    started = _context.Event()
    process = _context.Process(target=update_elsewhere, args=(source, out, jobs, started))
    process.start()
    assert started.wait(60)
    if seconds is not None:
        time.sleep(seconds)
        process.kill()
    process.join(120)
    return process.exitcode


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.usefixtures("small_chunks_and_shards")
def test_updates_killed_at_random_moments(tmp_path: Path, jobs: int) -> None:
    source, options = write_varied(tmp_path), make_options(**SKIP)
    convert([source], tmp_path / "before", options)
    write_rows(tmp_path / "rows.jsonl", [text_row(50), *Path(source).read_text(encoding="utf-8").splitlines()])
    convert([source], tmp_path / "after", options)
    old, new, out = read_files(tmp_path / "before"), read_files(tmp_path / "after"), tmp_path / "out"
    shutil.copytree(tmp_path / "before", out)
    started_s = time.perf_counter()
    assert run_for(source, out, jobs, None) == 0
    duration_s = time.perf_counter() - started_s
    num_killed = 0
    for moment in np.random.default_rng(jobs).uniform(0, 1, MOMENTS).tolist():
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "before", out)
        num_killed += run_for(source, out, jobs, moment * duration_s) == -signal.SIGKILL
        assert read_files(out) in (old, new)
        assert verify(out).ok
        update([source], out, options)
        assert read_files(out) == new
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["after", "before", "out"]
    assert num_killed > MOMENTS // 3
