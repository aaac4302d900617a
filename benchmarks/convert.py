"""How fast convert is, as ratios against peers in one run: ``python -m benchmarks.convert [--rows N] [--images N]``.

Peers: the bare tokenizer's batch call on the same texts in one thread, ``datasets.map``, the cached-dataset export of
ms-swift 4 where ``--swift`` names an interpreter that has it, and convert itself with one process. Every measurement
has a process of its own; the best of ``--rounds`` counts, and sides take turns. CPU time stands beside the wall clock,
because it is steadier on a busy machine. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.convert_jobs import render_texts
from benchmarks.convert_peers import export_with_swift, write_swift_model
from benchmarks.convert_workloads import (
    NUM_SHARED_IMAGES,
    grounding_rows,
    image_rows,
    mixed_rows,
    text_rows,
    write_images,
    write_model,
    write_rows,
)

Taken = dict[str, Any]
_OF_TOKENIZER = {"link": 0.7, "embed": 0.5}
_OF_SWIFT = {"link": 100, "embed": 50}
_OF_MAP = 20
_OF_ONE_PROCESS = 1.7
_MOST_MB = 1_000
_SWIFT_TEXT_ROWS = 10  # times as many as of images, of which ms-swift makes pixels


@dataclass(frozen=True, slots=True)
class Workload:
    """Rows to convert.

    Attributes:
        name: ``text``, ``grounding`` or ``images``.
        rows: The rows.
        modes: Values of ``--media`` to measure.
    """

    name: str
    rows: Iterator[dict[str, Any]]
    modes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the result: rate and memory of convert, what it is held against, and whether the aim is met."""

    name: str
    rows_per_s: float
    peak_mb: float
    peer: str
    peer_rows_per_s: float
    ratio: float
    cpu_ratio: float
    aim: float | None
    is_met: bool | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="rows of text, and as many of grounding")
    parser.add_argument("--images", type=int, default=2_000, help="JPEG files of the third workload, one row each")
    parser.add_argument("--memory-rows", type=int, default=1_000_000, help="rows whose peak memory is taken; 0 is none")
    parser.add_argument("--peer-rows", type=int, default=1_000, help="most rows that datasets.map is given")
    parser.add_argument("--swift-rows", type=int, default=200, help="most rows with images that ms-swift is given")
    parser.add_argument("--swift", help="Python interpreter of an environment that holds ms-swift 4")
    parser.add_argument("--photographs", type=Path, help="folder of JPEG files to take pictures from; drawn without it")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--only", choices=("text", "grounding", "images", "memory"), help="one workload alone")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--folder", type=Path, help="where to write rows and shards; a temporary folder without it")
    options = parser.parse_args(arguments)
    lines = list(_measure_all(options))
    verdicts = [line.is_met for line in lines]
    print(f"{verdicts.count(True)} aims met, {verdicts.count(False)} missed")
    if options.swift is None:
        print("ms-swift 4: not measured; name an interpreter that has it with --swift")
    if options.json:
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=2) + "\n", encoding="utf-8")


def _measure_all(options: argparse.Namespace) -> Iterator[Line]:
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        model = write_model(folder / "model")
        num_images = max(options.images, min(NUM_SHARED_IMAGES, options.rows))
        jpeg_bytes = write_images(folder / "images", num_images, options.photographs)
        swift = None if options.swift is None else write_swift_model(model, folder / "swift-model")
        print(f"JPEG files of {jpeg_bytes / 1000:,.0f} KB in the mean; one thread a process")
        print(f"{'':<31}{'rows/s':>9}{'peak MB':>9}  {'held against':<16}{'rows/s':>9}{'ratio':>8}{'CPU':>8}{'aim':>7}")
        workloads = [
            Workload("text", text_rows(options.rows), ("link",)),
            Workload("grounding", grounding_rows(options.rows), ("link", "embed")),
            Workload("images", image_rows(options.images), ("link", "embed")),
        ]
        for workload in workloads:
            if options.only in (None, workload.name):
                for line in _measure(workload, model, folder, swift=swift, options=options):
                    print(_format(line), flush=True)
                    yield line
        if options.memory_rows and options.only in (None, "memory"):
            for line in _measure_memory(model, folder, options.memory_rows):
                print(_format(line), flush=True)
                yield line


def _measure(
    workload: Workload, model: Path, folder: Path, *, swift: Path | None, options: argparse.Namespace
) -> Iterator[Line]:
    source = folder / f"{workload.name}.jsonl"
    num_rows = write_rows(source, workload.rows)
    texts, few = source.with_suffix(".texts"), source.with_suffix(".few.jsonl")
    num_tokens = render_texts(str(model), source, texts)
    with source.open(encoding="utf-8") as lines:
        few.write_text("".join(islice(lines, options.peer_rows)), encoding="utf-8")
    print(f"{workload.name}: {num_rows:,} rows of {num_tokens / num_rows:.0f} tokens, an image counted as one")
    jobs: dict[str, Callable[[], Taken]] = {
        "bare tokenizer": lambda: _run("tokenize", model, texts),
        "datasets.map": lambda: _run("map", model, few),
    }
    if swift is not None:
        most = options.swift_rows * (_SWIFT_TEXT_ROWS if workload.name == "text" else 1)
        jobs["ms-swift 4"] = lambda: export_with_swift(options.swift, swift, source, min(most, num_rows))
    for mode in workload.modes:
        for count in (1, 2):
            jobs[f"{mode} {count}"] = lambda mode=mode, count=count: _run("convert", model, source, mode, count)  # type: ignore[misc]
    best = _best(jobs, options.rounds)
    has_images = workload.name != "text"  # a tokenizer bounds how much faster than another script texts can be
    of_swift, of_map = (_OF_SWIFT, _OF_MAP) if has_images else (dict.fromkeys(_OF_SWIFT), None)
    for mode in workload.modes:
        one, two, name = best[f"{mode} 1"], best[f"{mode} 2"], f"{workload.name}, {mode}"
        yield _compare(f"{name}, 1 process", one, "bare tokenizer", best, _OF_TOKENIZER[mode])
        if swift is not None:
            yield _compare(f"{name}, 1 process", one, "ms-swift 4", best, of_swift[mode])
        yield _compare(f"{name}, 1 process", one, "datasets.map", best, of_map)
        yield _compare(f"{name}, 2 processes", two, f"{mode} 1", best, _OF_ONE_PROCESS)


def _measure_memory(model: Path, folder: Path, num_rows: int) -> Iterator[Line]:
    """Yield the peak memory of convert on very many rows; images count one tile, so that the disk has room."""
    source = folder / "memory.jsonl"
    write_rows(source, mixed_rows(num_rows))
    for count in (1, 2):
        taken = _run("convert", model, source, "link", count, 1)
        name = f"{num_rows:,} rows, {count} process{'es' * (count > 1)}"
        rate, peak = taken["rows"] / taken["wall_s"], taken["peak_mb"]
        yield Line(name, rate, peak, "memory, MB", 0, peak, 0, _MOST_MB, peak < _MOST_MB)


def _run(job: str, *arguments: object) -> Taken:
    command = [sys.executable, "-m", "benchmarks.convert_jobs", job, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{job} failed: {done.stderr[-1500:]}")
    taken: Taken = json.loads(done.stdout.splitlines()[-1])
    return taken


def _best(jobs: dict[str, Callable[[], Taken]], rounds: int) -> dict[str, Taken]:
    """Return the least wall and CPU seconds of each job, which take turns, and its largest peak."""
    best: dict[str, Taken] = {}
    for _ in range(rounds):
        for name, job in jobs.items():
            taken = job()
            known = best.setdefault(name, taken)
            for key, choose in (("wall_s", min), ("cpu_s", min), ("peak_mb", max)):
                known[key] = choose(known[key], taken[key])
    return best


def _compare(name: str, ours: Taken, peer: str, best: dict[str, Taken], aim: float | None) -> Line:
    theirs = best[peer]
    rate, peer_rate = (side["rows"] / side["wall_s"] for side in (ours, theirs))
    cpu_ratio = (ours["rows"] / ours["cpu_s"]) / (theirs["rows"] / theirs["cpu_s"])
    shown, is_met = "1 process" if peer.endswith(" 1") else peer, None if aim is None else rate / peer_rate >= aim
    return Line(name, rate, ours["peak_mb"], shown, peer_rate, rate / peer_rate, cpu_ratio, aim, is_met)


def _format(line: Line) -> str:
    verdict = "" if line.aim is None else f"{line.aim:>7g}  {'met' if line.is_met else 'missed'}"
    ours = f"{line.name:<31}{line.rows_per_s:>9,.0f}{line.peak_mb:>9,.0f}  {line.peer:<16}"
    if not line.peer_rows_per_s:
        return f"{ours}{'':>9}{line.ratio:>8,.0f}{'':>8}{verdict}"
    ratios = f"{line.peer_rows_per_s:>9,.0f}{line.ratio:>8.2f}{line.cpu_ratio:>8.2f}"
    return f"{ours}{ratios}{verdict}".rstrip()


if __name__ == "__main__":
    main()
