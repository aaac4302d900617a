"""A second, parallel, interrupted or killed conversion gives the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dataprep import convert, open_shards, verify
from dataprep.conversion import PARTS_FOLDER
from dataprep.errors import ShardError
from dataprep.planner import Planner
from dataprep.rules.base import CheckedRow
from dataprep.sources import RawRow
from tests.dataprep.conversions import (
    SKIP,
    image_row,
    make_options,
    read_files,
    text_row,
    write_png,
    write_rows,
)

REPO = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")


def test_the_reference_is_worth_comparing_with(varied: Path, reference: dict[str, bytes]) -> None:
    assert sum(name.startswith("samples-") for name in reference) > 2
    assert sum(name.startswith("media-") for name in reference) > 2
    assert reference["rejects.jsonl"].count(b"\n") == 2


def test_a_second_conversion_gives_the_same_bytes(varied: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    convert([str(varied / "rows.jsonl")], tmp_path / "out", make_options(**SKIP))
    assert read_files(tmp_path / "out") == reference


def test_two_workers_give_the_same_bytes(varied: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    convert([str(varied / "rows.jsonl")], tmp_path / "out", make_options(**SKIP, jobs=2))
    assert read_files(tmp_path / "out") == reference


class StoppedError(Exception):
    pass


def stop_at(number: int) -> Callable[[str, int, int], None]:
    calls = iter(range(1, number))

    def progress(stage: str, done: int, total: int) -> None:
        if next(calls, None) is None:
            raise StoppedError(stage)

    return progress


@pytest.mark.parametrize("number", [1, 3, 7, 8, 11, 13])
def test_an_interrupted_run_continues_to_the_same_bytes(
    varied: Path, reference: dict[str, bytes], tmp_path: Path, number: int
) -> None:
    arguments = [str(varied / "rows.jsonl")], tmp_path / "out", make_options(**SKIP)
    with pytest.raises(StoppedError):
        convert(*arguments, progress=stop_at(number))
    with pytest.raises(ShardError):
        open_shards(tmp_path / "out")
    convert(*arguments)
    assert read_files(tmp_path / "out") == reference


def test_a_continued_run_checks_no_row_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(12)])
    with pytest.raises(StoppedError):
        convert([source], tmp_path / "out", make_options(), progress=stop_at(2))
    checked = []
    original = Planner.check

    def check(self: Planner, raws: Sequence[RawRow]) -> list[CheckedRow]:
        checked.extend(raw.location.line for raw in raws)
        return original(self, raws)

    monkeypatch.setattr(Planner, "check", check)
    convert([source], tmp_path / "out", make_options())
    assert checked == [9, 10, 11, 12]


def test_a_continued_run_leaves_no_shard_of_the_one_before(tmp_path: Path) -> None:
    for number in range(9):
        noise = os.urandom(1000)
        path = write_png(tmp_path / f"{number}.png", (number, 1, 1))
        path.write_bytes(path.read_bytes() + noise)
    source = write_rows(tmp_path / "rows.jsonl", [image_row(f"{number}.png") for number in range(9)])
    with pytest.raises(StoppedError):
        convert([source], tmp_path / "out", make_options(), progress=stop_at(3 + 9 + 2))
    assert len(list((tmp_path / "out").glob("media-*.arrow"))) == 9
    (tmp_path / "out" / "samples-00007.arrow.tmp").write_bytes(b"half")
    write_rows(tmp_path / "rows.jsonl", [image_row("0.png")])
    convert([source], tmp_path / "out", make_options())
    names = ["ledger.arrow", "manifest.json", "media-00000.arrow", "rejects.jsonl", "samples-00000.arrow"]
    assert list(read_files(tmp_path / "out")) == names
    assert verify(tmp_path / "out").problems == ()


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
import dataprep.assembly, dataprep.blocks
from dataprep import convert
from tests.dataprep.conversions import make_options

dataprep.blocks.CHUNK_ROWS, dataprep.assembly.SHARD_BYTES = 4, 1500
number, calls, fsync = int(sys.argv[3]), 0, os.fsync

def kill_at(descriptor):
    global calls
    calls += 1
    if calls == number:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)

os.fsync = kill_at
convert([sys.argv[1]], Path(sys.argv[2]), make_options(on_bad="skip", max_bad_ratio=1.0, split="val=0.4"))
print(calls)
"""


def run_killed(source: Path, out: Path, number: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED_RUN, str(source), str(out), str(number)]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def num_flushes(varied: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How often a whole run flushes: the moments at which it can be killed with something half done."""
    return int(run_killed(varied / "rows.jsonl", tmp_path_factory.mktemp("whole") / "out", 0).stdout)


@pytest.mark.parametrize("moment", [0.1, 0.6, 0.99])
def test_a_killed_run_continues_to_the_same_bytes(
    varied: Path, reference: dict[str, bytes], tmp_path: Path, num_flushes: int, moment: float
) -> None:
    out = tmp_path / "out"
    killed = run_killed(varied / "rows.jsonl", out, int(moment * num_flushes))
    assert killed.returncode == -signal.SIGKILL
    assert (out / PARTS_FOLDER).is_dir()
    assert not (out / "manifest.json").exists()
    assert not verify(out).ok
    convert([str(varied / "rows.jsonl")], out, make_options(**SKIP))
    assert read_files(out) == reference
