"""The packers that the benchmark of packing compares, each run in a process of its own.

``python -m benchmarks.packing_jobs PACKER --lengths FILE.npy --capacity N`` prints JSON. A peer is called through its
own function, with the number of samples that it packs together by default. Needs numpy and the packer alone, so that
the peers can live in an environment of their own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from bisect import bisect_left, insort
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Lengths = NDArray[np.int64]
Packer = Callable[[Lengths, int], int]
"""Packs lengths, each at most the capacity, and returns the number of packs."""

_BATCH = 1000


def pack_dataprep(lengths: Lengths, capacity: int) -> int:
    """Pack with our own packer, all samples at once."""
    from dataprep.packing import pack

    return len(pack(lengths, capacity=capacity, seed=0, epoch=0))


def best_fit_decreasing(lengths: Lengths, capacity: int) -> int:
    """Count the packs of the textbook's algorithm, sample by sample."""
    rooms: list[int] = []
    num_packs = 0
    for length in np.sort(lengths)[::-1].tolist():
        place = bisect_left(rooms, length)
        if place == len(rooms):
            room = capacity
            num_packs += 1
        else:
            room = rooms.pop(place)
        if room > length:
            insort(rooms, room - length)
    return num_packs


def pack_trl(lengths: Lengths, capacity: int) -> int:
    """Pack with TRL's ``pack_dataset``, best-fit decreasing over batches of ``Dataset.map``; ids take a byte each."""
    import datasets
    import pyarrow as pa
    from trl.data_utils import pack_dataset

    offsets = np.concatenate(([0], np.cumsum(lengths)))
    ids = pa.array(np.zeros(int(offsets[-1]), dtype=np.int8))
    rows = datasets.Dataset(pa.table({"input_ids": pa.LargeListArray.from_arrays(pa.array(offsets), ids)}))
    datasets.disable_progress_bars()
    return len(pack_dataset(rows, seq_length=capacity))


def pack_llamafactory(lengths: Lengths, capacity: int) -> int:
    """Pack with LLaMA-Factory's ``greedy_knapsack``, over its batches."""
    from llamafactory.data.processor.processor_utils import greedy_knapsack

    starts = range(0, len(lengths), _BATCH)
    return sum(len(greedy_knapsack(lengths[start : start + _BATCH].tolist(), capacity)) for start in starts)


def pack_swift(lengths: Lengths, capacity: int) -> int:
    """Pack with ms-swift's ``calculate_matched_group``, over its batches; the last pack of each goes into the next."""
    from swift.dataset.packing import PackingDataset, calculate_matched_group

    rows = list(enumerate(lengths.tolist()))
    size = PackingDataset.PACKING_BATCH_SIZE
    num_packs, waiting = 0, []
    for start in range(0, len(rows), size):
        waiting += rows[start : start + size]
        packs, waiting = calculate_matched_group(waiting, capacity, is_finished=start + size >= len(rows))
        num_packs += len(packs)
    return num_packs


PACKERS: dict[str, tuple[str, Packer]] = {
    "dataprep": ("dataprep", pack_dataprep),
    "best-fit decreasing": ("numpy", best_fit_decreasing),
    "ms-swift": ("swift", pack_swift),
    "TRL": ("trl", pack_trl),
    "LLaMA-Factory": ("llamafactory", pack_llamafactory),
}
"""By name: the module, and the function that uses it."""


def main() -> None:
    """Run one packer and print its figures as JSON; the warm-up on few samples pays for imports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packer", choices=PACKERS)
    parser.add_argument("--lengths", type=Path, required=True)
    parser.add_argument("--capacity", type=int, required=True)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    module, pack = PACKERS[options.packer]
    version = str(getattr(importlib.import_module(module), "__version__", ""))
    lengths = np.load(options.lengths)
    pack(lengths[:10], options.capacity)
    seconds: list[float] = []
    figures: dict[str, Any] = {"version": version}
    for _ in range(options.rounds):
        start = time.perf_counter()
        figures["packs"] = pack(lengths, options.capacity)
        seconds.append(time.perf_counter() - start)
    json.dump(figures | {"seconds": min(seconds)}, sys.stdout)


if __name__ == "__main__":
    main()
