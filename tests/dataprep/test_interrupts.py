"""Ctrl-C and a reader that leaves end a run soon, without a traceback and without processes left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.dataprep.conversions import text_row, write_rows

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).parents[2]


def processes_of(session: int) -> list[str]:
    """Return the processes of a session that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[3] == str(session) and fields[0] not in "ZX":
            found.append(entry.name)
    return found


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A data file that takes seconds to lint row by row."""
    return write_rows(tmp_path / "rows.jsonl", [text_row(number) | {"response": ""} for number in range(100_000)])


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("seconds", [0.15, 1.0])
def test_an_interrupt_ends_lint_quietly(source: str, jobs: str, seconds: float) -> None:
    command = [sys.executable, "-m", "dataprep", "lint", source, "-j", jobs, "--format", "jsonl"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, env=environment
    ) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    if seconds > 0.5:  # sooner, Python itself may still be starting
        assert (process.returncode, errors) == (130, b"")
    end = time.monotonic() + 5
    while (left := processes_of(process.pid)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left


@pytest.mark.parametrize("options", ["--format jsonl -j 2", "--format concise"])
def test_a_reader_that_leaves_is_no_traceback(source: str, options: str) -> None:
    command = f'"{sys.executable}" -m dataprep lint "{source}" {options} | head -1'
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environment)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
