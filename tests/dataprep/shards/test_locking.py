"""One run at a time in a folder, and none while workers of a killed run live."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataprep import convert
from dataprep.errors import ConfigError
from dataprep.shards.locking import WORKER_LOCK, build_in_worker, hold_folder
from tests.dataprep.conversions import make_options, read_files, text_row, write_rows


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    refused = []

    def convert_again(stage: str, done: int, total: int) -> None:
        with pytest.raises(ConfigError, match="out is being written by another run; wait for its end"):
            convert([source], tmp_path / "out", make_options())
        refused.append(stage)

    convert([source], tmp_path / "out", make_options(), progress=convert_again)
    assert refused
    assert sorted(read_files(tmp_path / "out")) == [
        "ledger.arrow",
        "manifest.json",
        "rejects.jsonl",
        "samples-00000.arrow",
    ]


def test_a_run_waits_for_workers_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.shards.locking._LONGEST_WAIT_S", 0.1)
    with (tmp_path / WORKER_LOCK).open("w") as orphan:
        fcntl.flock(orphan, fcntl.LOCK_SH)
        with (
            pytest.raises(ConfigError, match="still used by workers of an earlier run"),
            hold_folder(tmp_path, tmp_path),
        ):
            raise AssertionError("held")
        started_s = time.monotonic()
    with hold_folder(tmp_path, tmp_path):
        assert time.monotonic() - started_s < 1


def test_the_process_of_a_run_builds_without_a_lock(tmp_path: Path) -> None:
    assert build_in_worker(tmp_path, lambda: 7) == 7
    assert not list(tmp_path.iterdir())


def test_file_systems_without_locks_are_used_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, kind: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with hold_folder(tmp_path, tmp_path):
        pass


ORPHAN = """
import multiprocessing, os, signal, sys, time
from functools import partial
from pathlib import Path
from dataprep.shards.locking import build_in_worker

def work(folder):
    time.sleep(0.5)  # its run dies meanwhile
    build_in_worker(Path(folder), partial(Path(folder, "built").write_text, "x"))

if __name__ == "__main__":
    process = multiprocessing.get_context("fork").Process(target=work, args=(sys.argv[1],))
    process.start()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_whose_run_died_before_it_was_ready_builds_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", ORPHAN, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    give_up_s = time.monotonic() + 30
    while not (tmp_path / WORKER_LOCK).exists() and time.monotonic() < give_up_s:
        time.sleep(0.02)
    with hold_folder(tmp_path, tmp_path):
        assert not (tmp_path / "built").exists()
