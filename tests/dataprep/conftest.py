"""Fixtures of the data layer's tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dataprep import convert
from dataprep.cli import main
from tests.dataprep.conversions import SKIP, make_options, read_files, write_varied


@pytest.fixture
def small_chunks_and_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make several parts and several shards out of a few rows."""
    monkeypatch.setattr("dataprep.blocks.CHUNK_ROWS", 4)
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", 1500)


@pytest.fixture
def real_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.blocks.CHUNK_ROWS", 256)
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", 256 << 20)


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows and media of all kinds."""
    folder = tmp_path_factory.mktemp("varied")
    write_varied(folder)
    return folder


@pytest.fixture
def reference(varied: Path, small_chunks_and_shards: None) -> dict[str, bytes]:
    """All files of an undisturbed conversion with one process."""
    out = varied / "reference"
    if not out.exists():
        convert([str(varied / "rows.jsonl")], out, make_options(**SKIP))
    return read_files(out)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; returns exit code, standard output and standard error."""

    def run_main(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dataprep", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return (int(caught.value.code or 0), *capfd.readouterr())

    return run_main
