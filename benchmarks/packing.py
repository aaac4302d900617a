"""How full packs are and how soon they are planned: ``python -m benchmarks.packing [--samples N]``.

Peers: the textbook's best-fit decreasing, sample by sample, and the packers of ms-swift, TRL and LLaMA-Factory, called
through their own functions; those that are not installed are named and left out. ``--peers`` is the Python of an
environment that has them. Beside the packs stands the lower bound: all tokens, over the capacity. This is no test.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.packing_jobs import PACKERS, Lengths
from benchmarks.peers import run_job

CAPACITIES = (4096, 8192)


def draw_lengths(count: int) -> Lengths:
    """Draw the lengths of text rows and of rows with one image: 0 to 13 tiles of 256 tokens, and a log-normal text."""
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 14, count)
    texts = np.exp(rng.normal(4.5, 0.9, count)).astype(np.int64) + 20
    return np.minimum(tiles * 256 + texts, min(CAPACITIES))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table for each capacity."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1_000_000, help="number of samples")
    parser.add_argument("--peers", default=sys.executable, help="Python that has the peers installed")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    lengths = draw_lengths(options.samples)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lengths.npy"
        np.save(file, lengths)
        for capacity in CAPACITIES:
            bound = -(-int(lengths.sum()) // capacity)
            print(f"{len(lengths):,} samples, packs of {capacity} tokens; no plan has fewer than {bound:,}")
            print(f"{'':<22}{'packs':>10}{'fill':>8}{'seconds':>10}")
            for name in PACKERS:
                python = sys.executable if name in ("dataprep", "best-fit decreasing") else options.peers
                rounds = "3" if name == "dataprep" else "1"
                job = ["benchmarks.packing_jobs", name, "--lengths", str(file), "--capacity", str(capacity)]
                found = run_job([python, "-m", *job, "--rounds", rounds])
                figures[f"{name} {capacity}"] = found
                if "error" in found:
                    print(f"{name:<22}not measured: {found['error']}")
                    continue
                fill = lengths.sum() / found["packs"] / capacity
                print(f"{name:<22}{found['packs']:>10,}{fill:>8.2%}{found['seconds']:>10.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
