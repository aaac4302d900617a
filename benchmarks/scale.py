"""What a row costs in CPU time, memory and storage, for plans of large conversions: ``python -m benchmarks.scale``.

Each workload is converted with two workers at two sizes, each in a process of its own; the costs are the difference
divided by the difference in rows, so that start-up is not in them. Work that is divided among workers stands apart from
that of the process that deals it out, because the latter bounds how many workers one conversion can use.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.convert_workloads import write_model
from benchmarks.lint_workloads import grounding_rows, image_rows, text_rows, write_images, write_rows

_JOBS = 2
_SHARE = 4  # the small size is a fourth of the large one


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=160_000, help="rows of the large workloads")
    parser.add_argument("--images", type=int, default=8_000, help="number of JPEG files, one row each")
    parser.add_argument("--photographs", type=Path, help="folder of real JPEG files to copy; noise without it")
    parser.add_argument("--rounds", type=int, default=2, help="how often each size is measured; the least counts")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = str(write_model(folder / "model"))
        write_images(folder / "images", max(options.images, 1000), options.photographs)
        _make_distinct(folder / "images")
        print(f"{'':<18}{'rows per s':>22}{'peak MB':>18}{'bytes per row':>36}")
        print(f"{'':<18}{'a worker':>11}{'dealt out':>11}{'worker':>9}{'dealer':>9}", end="")
        print(f"{'samples':>9}{'media':>9}{'ledger':>9}{'parts':>9}{'tokens':>9}")
        for workload, generate, count, modes in (
            ("text", text_rows, options.rows, ("link",)),
            ("grounding", grounding_rows, options.rows, ("link", "embed")),
            ("images", image_rows, options.images, ("link", "embed")),
        ):
            sources = [folder / f"{workload}.{part}.jsonl" for part in ("small", "large")]
            for source, rows in zip(sources, (count // _SHARE, count), strict=True):
                write_rows(source, generate(rows))
            for mode in modes:
                small, large = (_best(model, source, mode, options.rounds) for source in sources)
                print(_line(f"{workload}, {mode}", small, large), flush=True)


def _make_distinct(folder: Path) -> None:
    """Put a comment into each JPEG file: equal contents would be stored once."""
    for number, path in enumerate(sorted(folder.iterdir())):
        data = path.read_bytes()
        path.write_bytes(data[:2] + b"\xff\xfe\x00\x0a" + number.to_bytes(8) + data[2:])


def _best(model: str, source: Path, mode: str, rounds: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scale_job", model, str(source), mode, str(_JOBS)]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(rounds)]
    return {key: min(run[key] for run in runs) for key in runs[0]}


def _line(name: str, small: dict[str, float], large: dict[str, float]) -> str:
    each = {key: (large[key] - small[key]) / (large["rows"] - small["rows"]) for key in large}
    rates = "".join(f"{1 / each[key]:>11,.0f}" if each[key] > 0 else f"{'-':>11}" for key in ("workers_s", "dealer_s"))
    peaks = f"{large['worker_mb']:>9,.0f}{large['dealer_mb']:>9,.0f}"
    sizes = "".join(f"{each[key]:>9,.0f}" for key in ("samples", "media", "ledger", "parts", "tokens"))
    return f"{name:<18}{rates}{peaks}{sizes}"


if __name__ == "__main__":
    main()
