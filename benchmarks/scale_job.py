"""One conversion of the benchmark of scale, in a process of its own: ``python -m benchmarks.scale_job MODEL FILE ...``.

Prints one JSON object: rows, tokens, CPU seconds of the workers and of this process, peaks in MB, bytes of each kind.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
from pathlib import Path

import dataprep.conversion
from benchmarks.convert_jobs import MODEL_TYPE
from dataprep.config import ConvertConfig


def main(model: str, source: str, media: str, jobs: str) -> None:
    """Convert once, and print what it took."""
    out = Path(source).with_suffix(f".{media}")
    parts_bytes = 0
    remove = dataprep.conversion._remove_parts

    def measure_and_remove(folder: Path) -> None:
        nonlocal parts_bytes
        parts_bytes = sum(path.stat().st_size for path in folder.iterdir())
        remove(folder)

    dataprep.conversion._remove_parts = measure_and_remove
    config = ConvertConfig(model_type=MODEL_TYPE, model=Path(model), media=media, jobs=int(jobs), no_cache=True)
    before = _cpu_seconds(resource.RUSAGE_SELF)
    manifest = dataprep.conversion.convert([source], out, config)
    shutil.rmtree(out)
    own, child = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    result = {
        "rows": manifest.ledger.rows_in,
        "tokens": sum(split.tokens for split in manifest.splits.values()),
        "workers_s": _cpu_seconds(resource.RUSAGE_CHILDREN),
        "dealer_s": _cpu_seconds(resource.RUSAGE_SELF) - before,
        "worker_mb": child.ru_maxrss / 1024,
        "dealer_mb": own.ru_maxrss / 1024,
        "samples": sum(shard.bytes for shard in manifest.sample_shards),
        "media": sum(shard.bytes for shard in manifest.media_shards),
        "ledger": sum(file.bytes for file in manifest.files.values()),
        "parts": parts_bytes,
    }
    print(json.dumps(result))


def _cpu_seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(*sys.argv[1:])
