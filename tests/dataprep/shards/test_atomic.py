"""Atomic files: whole or absent, whatever the system does."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataprep.errors import ShardError
from dataprep.shards.atomic import atomic_file


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def write_and_raise(path: Path, error: BaseException) -> None:
    with atomic_file(path) as file:
        file.write(b"x")
        raise error


def test_the_file_appears_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with atomic_file(path) as file:
        assert file.write(b"new ") == 4
        file.write(memoryview(b"text"))
        assert path.read_bytes() == b"old"
        assert file.tell() == 8
    assert path.read_bytes() == b"new text"
    assert file.sha256 == hashlib.sha256(b"new text").hexdigest()
    assert names_in(tmp_path) == ["a"]


def test_what_a_killed_run_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.tmp").write_bytes(b"left over and longer")
    with atomic_file(tmp_path / "a") as file:
        file.write(b"x")
    assert names_in(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_an_error_in_the_block_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_and_raise(tmp_path / "a", error)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOSPC, "No space left on device; nothing was left under that name. Free space"),
        (errno.EACCES, "Choose an output folder"),
        (errno.EIO, "Check the disk"),
    ],
)
def test_what_the_system_refuses_is_said_with_a_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ShardError, match=step), atomic_file(tmp_path / "a") as file:
        file.write(b"x")
    assert names_in(tmp_path) == []


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="Create the folder first"), atomic_file(tmp_path / "no" / "a"):
        pass


def test_a_write_that_the_system_cuts_off_in_the_middle_of_an_arrow_file(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "import pyarrow as pa\n"
        "from dataprep.errors import ShardError\n"
        "from dataprep.shards.format import LEDGER_SCHEMA\n"
        "from dataprep.shards.samples import LedgerRow\n"
        "from dataprep.shards.writer import ledger_batch, write_arrow\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "rows = [LedgerRow('a.jsonl', i, bytes(16), 'rejected') for i in range(70_000)]\n"
        "try:\n"
        "    write_arrow(Path(sys.argv[1]) / 'ledger.arrow', LEDGER_SCHEMA, [ledger_batch(rows)])\n"
        "except ShardError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True, timeout=60,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert "ledger.arrow: File too large; nothing was left" in done.stdout
    assert names_in(tmp_path) == []
