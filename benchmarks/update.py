"""What an update costs beside a new conversion: ``python -m benchmarks.update [--rows N] [--edits N]``.

Converts rows, edits a few that are spread over the file, brings the shards up to date, and once more with nothing new;
beside each update a new conversion of the same rows, in turn, each in a process of its own. The best of ``--rounds``
counts; CPU time stands beside the wall clock, because it is steadier on a busy machine. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.convert_jobs import MODEL_TYPE, _cpu_seconds
from benchmarks.convert_workloads import write_model
from benchmarks.lint_workloads import grounding_rows, text_rows, write_images, write_rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of each workload")
    parser.add_argument("--edits", type=int, default=10, help="rows to edit")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--media", default="link", help="link or embed")
    parser.add_argument("--folder", type=Path, help="where to write the workloads; a temporary folder without it")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_model(folder / "model")
        write_images(folder / "images", 1000, None)
        print(
            f"{'':<12}{'new s':>8}{'CPU s':>8}  {'update s':>9}{'CPU s':>8}{'ratio':>7}{'CPU':>6}  {'same s':>7}  rows"
        )
        for workload, rows in (("text", text_rows(options.rows)), ("grounding", grounding_rows(options.rows))):
            write_rows(folder / f"{workload}.jsonl", rows)
            print(_measure(folder, workload, options), flush=True)


def _measure(folder: Path, workload: str, options: argparse.Namespace) -> str:
    source, kept = folder / f"{workload}.jsonl", folder / "kept"
    _run(folder, source, kept, options.media, "new")
    best: dict[str, dict[str, Any]] = {}
    for _ in range(options.rounds):
        _edit(source, options.edits)
        for job, out in (("new", folder / "new"), ("update", kept), ("same", kept)):
            taken = _run(folder, source, out, options.media, job.replace("same", "update"))
            known = best.setdefault(job, taken)
            for key in ("wall_s", "cpu_s"):
                known[key] = min(known[key], taken[key])
        shutil.rmtree(folder / "new")
    shutil.rmtree(kept)
    new, update, same = best["new"], best["update"], best["same"]
    return (
        f"{workload:<12}{new['wall_s']:>8.1f}{new['cpu_s']:>8.1f}  {update['wall_s']:>9.1f}{update['cpu_s']:>8.1f}"
        f"{new['wall_s'] / update['wall_s']:>7.1f}{new['cpu_s'] / update['cpu_s']:>6.1f}  {same['wall_s']:>7.1f}"
        f"  {update['taken']:,} taken over, {update['encoded']:,} encoded"
    )


def _edit(source: Path, count: int) -> None:
    """Change some rows that are spread over a file."""
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    for index in range(0, len(lines), max(1, len(lines) // count))[:count]:
        row = json.loads(lines[index])
        row["query"] += " again"
        lines[index] = json.dumps(row, ensure_ascii=False) + "\n"
    source.write_text("".join(lines), encoding="utf-8")


def _run(folder: Path, source: Path, out: Path, media: str, job: str) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.update",
        "--job",
        job,
        str(folder / "model"),
        str(source),
        str(out),
        media,
    ]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def _job(job: str, model: str, source: str, out: str, media: str) -> None:
    from dataprep.config import ConvertConfig
    from dataprep.conversion import convert
    from dataprep.updating import update

    config = ConvertConfig(model_type=MODEL_TYPE, model=Path(model), media=media)
    counts: dict[str, Any] = {}
    wall, cpu = time.perf_counter(), _cpu_seconds()
    if job == "new":
        convert([source], out, config)
    else:
        done = update([source], out, config)
        counts = {"taken": done.num_taken, "encoded": done.num_encoded}
    print(json.dumps({"wall_s": time.perf_counter() - wall, "cpu_s": _cpu_seconds() - cpu} | counts))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        _job(*sys.argv[2:])
    else:
        main()
