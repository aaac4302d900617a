"""What the benchmark of convert measures, each in a process of its own: ``python -m benchmarks.convert_jobs JOB ...``.

Prints one JSON object: rows, wall seconds, CPU seconds of this process and its workers, peak memory in MB. The peak of
several processes is the sum of their peaks, which is more than they ever held at once; it is read where Linux tells it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.convert_peers import map_rows

MODEL_TYPE = "internvl2-1b"
MAX_LENGTH = 8_192
BATCH_ROWS = 1_000

Work = Callable[[], int]


def convert_rows(model: str, source: str, media: str, jobs: str, max_num: str = "12") -> Work:
    """Return what ``dataprep convert`` does, imports included; the folder it writes is removed afterwards."""
    out, cache = (Path(source).with_suffix(f".{media}.{jobs}{ending}") for ending in ("", ".cache"))
    for folder in (out, cache):
        shutil.rmtree(folder, ignore_errors=True)

    def work() -> int:
        from dataprep.config import ConvertConfig
        from dataprep.conversion import convert

        config = ConvertConfig(
            model_type=MODEL_TYPE,
            model=Path(model),
            max_length=MAX_LENGTH,
            max_num=int(max_num),
            media=media,
            jobs=int(jobs),
            cache=cache,
        )
        return convert([source], out, config).ledger.converted

    return work


def tokenize_rows(model: str, texts: str) -> Work:
    """Return the bare work: the tokenizer's own batch call on the rendered texts, and the ids as lists."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    with Path(texts).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]

    def work() -> int:
        return sum(
            bool(encoding.ids)
            for first in range(0, len(rows), BATCH_ROWS)
            for encoding in tokenizer.encode_batch(rows[first : first + BATCH_ROWS], add_special_tokens=False)
        )

    return work


def render_texts(model: str, source: Path, target: Path) -> int:
    """Write the text of each row as a tokenizer is given it, an image as one context token; return how many tokens."""
    from tokenizers import Tokenizer

    from dataprep.config import ConvertConfig
    from dataprep.findings import Location
    from dataprep.formats.reading import read_record
    from dataprep.layouts import lay_out
    from dataprep.rules.measuring import make_encoder_from
    from dataprep.tiling import ImageSize

    settings = make_encoder_from(ConvertConfig(model_type=MODEL_TYPE, model=Path(model))).settings
    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    num_tokens = 0
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as file:
        for line in lines:
            record, _ = read_record(json.loads(line), Location(str(source), 1))
            assert record is not None
            layout = lay_out(record, settings, image_sizes=[ImageSize(640, 480)] * len(record.images))
            text = layout.prompt + layout.response + settings.template.end
            num_tokens += len(tokenizer.encode(text, add_special_tokens=False).ids)
            file.write(json.dumps(text) + "\n")
    return num_tokens


JOBS: dict[str, Callable[..., Work]] = {"convert": convert_rows, "tokenize": tokenize_rows, "map": map_rows}


def main(job: str, *arguments: str) -> None:
    """Run one job and print what it took; what it needs is made ready before."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread, as a worker of convert has
    work = JOBS[job](*arguments)
    wall, cpu = time.perf_counter(), _cpu_seconds()
    rows = work()
    result = {"rows": rows, "wall_s": time.perf_counter() - wall, "cpu_s": _cpu_seconds() - cpu}
    num_workers = int(arguments[3]) if job == "convert" and int(arguments[3]) > 1 else 0
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps(result | {"peak_mb": (_own_peak_kb() + num_workers * child) / 1024}))


def _own_peak_kb() -> int:
    """Return the peak memory of this process; what ``getrusage`` says is also that of the process that started it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main(*sys.argv[1:])
