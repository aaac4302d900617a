"""The benchmark of lint runs and measures what it says; its figures are for people, no test looks at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import lint as benchmark
from benchmarks.lint_workloads import WORKLOADS, write_rows
from dataprep.config import LintConfig
from dataprep.linting import lint


@pytest.fixture(autouse=True)
def _one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    monkeypatch.setattr(benchmark, "_SETTLED_S", 0)


@pytest.mark.parametrize("name", WORKLOADS)
def test_workloads_are_clean_and_the_same_each_time(tmp_path: Path, name: str) -> None:
    for copy in ("one.jsonl", "two.jsonl"):
        assert write_rows(tmp_path / copy, WORKLOADS[name](50)) == 50
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert lint([str(tmp_path / "one.jsonl")], LintConfig(level=1)).findings == []


def test_rows_are_measured_against_every_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_two_processes", lambda path, name, count: [])
    lines = benchmark._rows(tmp_path, 60)
    assert len({line.name for line in lines}) == len(lines) == 2 * len(WORKLOADS)
    assert all(line.ratio > 0 for line in lines)


def test_two_processes_are_measured_against_one(tmp_path: Path) -> None:
    write_rows(tmp_path / "text.jsonl", WORKLOADS["text"](60))
    whole, marginal = benchmark._two_processes(tmp_path / "text.jsonl", "text", 60)
    assert whole.ratio > 0
    assert whole.target.startswith("limit ")
    assert marginal.target == "near 2"


def test_images_are_measured_against_pillow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = benchmark._images(tmp_path, 8, None)
    assert all(line.ratio > 0 for line in lines)
    benchmark._print(lines)
    assert "8 image headers" in capsys.readouterr().out
