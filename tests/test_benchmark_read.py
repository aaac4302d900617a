"""The benchmarks of reading and packing run at a small size, without the peers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import packing, read
from benchmarks.packing_jobs import best_fit_decreasing
from benchmarks.peers import run_job
from dataprep.shards.reader import open_shards

GOLDEN = Path(__file__).parent / "dataprep" / "shards" / "golden_v1"


def test_reading_is_measured_and_missing_peers_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = str(GOLDEN)
    figures = tmp_path / "figures.json"
    no_site = tmp_path / "python"
    no_site.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
    no_site.chmod(0o755)
    read.main(["--shards", shards, "--text-shards", shards, "--peers", str(no_site), "--json", str(figures)])
    printed = capsys.readouterr().out
    found = json.loads(figures.read_text())
    assert found["dataprep"]["random"]["per_s"] > 0
    assert found["lengths"]["rows"] == len(open_shards(shards))
    assert "webdataset            not measured: ModuleNotFoundError" in printed
    assert "rows, lengths included: opened in" in printed


def test_packs_are_counted_and_missing_peers_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "figures.json"
    packing.main(["--samples", "3000", "--json", str(figures)])
    found = json.loads(figures.read_text())
    lengths = packing.draw_lengths(3000)
    for capacity in packing.CAPACITIES:
        assert found[f"dataprep {capacity}"]["packs"] == best_fit_decreasing(lengths, capacity)
    assert "no plan has fewer than" in capsys.readouterr().out


def test_a_failed_job_says_its_last_words() -> None:
    assert run_job([sys.executable, "-c", "raise SystemExit('out of luck')"]) == {"error": "out of luck"}
    assert run_job([sys.executable, "-c", "print('{}')"]) == {}
