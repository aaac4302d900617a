"""How fast shards are read, as ratios against peers in one run: ``python -m benchmarks.read [--images N]``.

Peers: Hugging Face datasets with numpy format, mosaicml-streaming, litdata and webdataset, each over its own files of
the same samples; those that are not installed are named and left out. ``--peers`` is the Python of an environment that
has them. Files are in the page cache. Random access, and reading in order, get ids, labels and the picture's bytes.
Then the time to open a directory of ``--rows`` text rows with all lengths. This is no test.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import run_job
from benchmarks.read_jobs import LIBRARIES

_AIMS = {"datasets": 5.0, "mosaicml-streaming": 1.5, "litdata": 1.5}
"""How many times the peer's samples per second random access should reach."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5_000, help="samples of one picture each")
    parser.add_argument("--rows", type=int, default=1_000_000, help="samples of the directory that is opened; 0: none")
    parser.add_argument("--shards", type=Path, help="shards with embedded pictures to read, instead of making some")
    parser.add_argument("--text-shards", type=Path, help="shards to open, instead of making some")
    parser.add_argument("--peers", default=sys.executable, help="Python that has the peers installed")
    parser.add_argument("--photographs", type=Path, help="folder of real JPEG files to copy; noise without it")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder without it")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        shards = options.shards or _convert_images(folder, options.images, options.photographs)
        figures = _measure_libraries(shards, folder, options.peers)
        _print_libraries(figures)
        text_shards = options.text_shards or (_convert_texts(folder, options.rows) if options.rows else None)
        if text_shards is not None:
            figures["lengths"] = opened = _measure_opening(text_shards)
            print(
                f"\n{opened['rows']:,} rows, lengths included: opened in {1000 * opened['s']:.0f} ms (aim: 50 ms), "
                f"the first time in {1000 * opened['first_s']:.0f} ms, with {opened['added_mb']:.0f} MB more"
            )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _convert_images(folder: Path, count: int, photographs: Path | None) -> Path:
    from benchmarks.lint_workloads import image_rows, write_images, write_rows

    write_images(folder / "images", count, photographs)
    write_rows(folder / "images.jsonl", image_rows(count))
    return _convert(folder, folder / "images.jsonl")


def _convert_texts(folder: Path, count: int) -> Path:
    from benchmarks.lint_workloads import text_rows, write_rows

    write_rows(folder / "texts.jsonl", text_rows(count))
    return _convert(folder, folder / "texts.jsonl")


def _convert(folder: Path, source: Path) -> Path:
    from benchmarks.convert_workloads import write_model
    from dataprep.config import ConvertConfig
    from dataprep.conversion import convert

    out, model = source.with_suffix(""), folder / "model"
    out = out.with_name(f"{out.name}-shards")
    if not model.exists():
        write_model(model)
    convert([str(source)], out, ConvertConfig(model_type="internvl2-1b", model=model))
    return out


def _measure_libraries(shards: Path, folder: Path, peers: str) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    num_rows = json.loads((shards / "manifest.json").read_bytes())["ledger"]["converted"]
    for library in LIBRARIES:
        is_ours = library == "dataprep"
        files = shards if is_ours else folder / library
        job = [sys.executable if is_ours else peers, "-m", "benchmarks.read_jobs"]
        names = [library, "--shards", str(shards), "--folder", str(files), "--rows", str(num_rows)]
        found = {} if is_ours else run_job([*job, "write", *names])
        figures[library] = found if "error" in found else run_job([*job, "read", *names])
    return figures


def _print_libraries(figures: dict[str, Any]) -> None:
    head = f"{'samples/s':<22}{'random':>9}{'GB/s':>7}{'in order':>10}{'GB/s':>7}{'first':>9}{'peak MB':>9}"
    print(f"{head}  random access, ours")
    ours = figures["dataprep"]
    for library, found in figures.items():
        if "error" in found:
            print(f"{library:<22}not measured: {found['error']}")
            continue
        line = f"{library:<22}"
        for name, width in (("random", 9), ("sequential", 10)):
            rates = found.get(name)
            rate, gb_per_s = (f"{rates['per_s']:,.0f}", f"{rates['gb_per_s']:.2f}") if rates else ("-", "-")
            line += f"{rate:>{width}}{gb_per_s:>7}"
        line += f"{found['first_sample_s']:>8.2f}s{found['peak_mb']:>9.0f}"
        if library in _AIMS and "random" in found:
            wall, cpu = (ours["random"][name] / found["random"][name] for name in ("per_s", "per_cpu_s"))
            line += f"  {wall:.1f} times, by CPU time {cpu:.1f} (aim: {_AIMS[library]:g})"
        print(line, flush=True)


def _measure_opening(shards: Path) -> dict[str, Any]:
    job = ["-m", "benchmarks.read_jobs", "lengths", "dataprep", "--folder", str(shards)]
    return run_job([sys.executable, *job])


if __name__ == "__main__":
    main()
