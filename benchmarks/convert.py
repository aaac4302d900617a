"""How fast convert is, as ratios against peers in one run: ``python -m benchmarks.convert [--rows N] [--images N]``.

Peers: the bare tokenizer's batch call on the same texts in one thread, ``datasets.map`` with the same tokenizer, and
convert itself with one process. Every measurement has a process of its own; the best of ``--rounds`` counts, and sides
take turns. CPU time stands beside the wall clock, because it is steadier on a busy machine. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.convert_jobs import render_texts
from benchmarks.convert_workloads import write_model
from benchmarks.lint_workloads import grounding_rows, image_rows, text_rows, write_images, write_rows

_MOST_MAPPED = 2_000
_TARGETS = {"link": 0.7, "embed": 0.5}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the result: rate and memory of convert, rate of the peer, and their ratios."""

    name: str
    rows_per_s: float
    peak_mb: float
    peer: str
    peer_rows_per_s: float
    ratio: float
    cpu_ratio: float
    target: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the large workloads")
    parser.add_argument("--images", type=int, default=2_000, help="number of JPEG files, one row each")
    parser.add_argument("--photographs", type=Path, help="folder of real JPEG files to copy; noise without it")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--folder", type=Path, help="where to write the workloads; a temporary folder without it")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        model = str(write_model(folder / "model"))
        write_images(folder / "images", max(options.images, 1000), options.photographs)
        workloads = [
            ("text", text_rows(options.rows), ("link",)),
            ("grounding", grounding_rows(options.rows), ("link", "embed")),
            ("images", image_rows(options.images), ("link", "embed")),
        ]
        print(f"{'':<28}{'rows/s':>9}{'peak MB':>9}  {'peer':<20}{'rows/s':>9}{'ratio':>8}{'CPU':>7}  target")
        lines: list[Line] = []
        for workload, rows, modes in workloads:
            source = folder / f"{workload}.jsonl"
            write_rows(source, rows)
            for line in _measure(model, source, modes, options.rounds):
                lines.append(line)
                print(_format(line), flush=True)
    if importlib.util.find_spec("swift") is None:
        print("ms-swift: not installed")
    if options.json:
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=2) + "\n", encoding="utf-8")


def _measure(model: str, source: Path, modes: Sequence[str], rounds: int) -> list[Line]:
    texts = source.with_suffix(".texts")
    render_texts(model, source, texts)
    few = source.with_suffix(".few.jsonl")
    with source.open(encoding="utf-8") as lines:
        few.write_text("".join(islice(lines, _MOST_MAPPED)), encoding="utf-8")
    jobs: dict[str, list[str]] = {"bare tokenizer": ["tokenize", model, str(texts)]}
    jobs["datasets.map"] = ["map", model, str(few)]
    for mode in modes:
        for count in ("1", "2"):
            jobs[f"{mode} {count}"] = ["convert", model, str(source), mode, count]
    best = _best(jobs, rounds)
    result = []
    for mode in modes:
        one, two = best[f"{mode} 1"], best[f"{mode} 2"]
        name = f"{source.stem}, {mode}"
        target = f">= {_TARGETS[mode]}"
        result += [
            _compare(f"{name}, 1 process", one, "bare tokenizer", best["bare tokenizer"], target),
            _compare(f"{name}, 1 process", one, "datasets.map", best["datasets.map"], ">= 20"),
            _compare(f"{name}, 2 processes", two, "1 process", one, ">= 1.7"),
        ]
    return result


def _best(jobs: dict[str, list[str]], rounds: int) -> dict[str, dict[str, Any]]:
    """Return the least wall and CPU seconds of each job, which take turns, and its largest peak."""
    best: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for name, arguments in jobs.items():
            command = [sys.executable, "-m", "benchmarks.convert_jobs", *arguments]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            taken = json.loads(done.stdout)
            known = best.setdefault(name, taken)
            for key, choose in (("wall_s", min), ("cpu_s", min), ("peak_mb", max)):
                known[key] = choose(known[key], taken[key])
    return best


def _compare(name: str, ours: dict[str, Any], peer: str, theirs: dict[str, Any], target: str) -> Line:
    rate, peer_rate = ours["rows"] / ours["wall_s"], theirs["rows"] / theirs["wall_s"]
    cpu_ratio = (ours["rows"] / ours["cpu_s"]) / (theirs["rows"] / theirs["cpu_s"])
    return Line(name, rate, ours["peak_mb"], peer, peer_rate, rate / peer_rate, cpu_ratio, target)


def _format(line: Line) -> str:
    return (
        f"{line.name:<28}{line.rows_per_s:>9,.0f}{line.peak_mb:>9,.0f}  {line.peer:<20}{line.peer_rows_per_s:>9,.0f}"
        f"{line.ratio:>8.2f}{line.cpu_ratio:>7.2f}  {line.target}"
    )


if __name__ == "__main__":
    main()
