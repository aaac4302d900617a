"""What the benchmark of convert measures, each in a process of its own: ``python -m benchmarks.convert_jobs JOB ...``.

Prints one JSON object: rows, wall seconds, CPU seconds of this process and its workers, peak memory in MB. The peak of
several processes is the sum of their peaks, which is more than they ever held at once.
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
from typing import Any

MODEL_TYPE = "internvl2-1b"


def convert_rows(model: str, source: str, media: str, jobs: str) -> int:
    """Run ``dataprep convert`` as the command does; the folder it writes is removed afterwards."""
    from dataprep.config import ConvertConfig
    from dataprep.conversion import convert

    out = Path(source).with_suffix(f".{media}.{jobs}")
    config = ConvertConfig(model_type=MODEL_TYPE, model=Path(model), media=media, jobs=int(jobs))
    try:
        return convert([source], out, config).ledger.converted
    finally:
        shutil.rmtree(out, ignore_errors=True)


def tokenize_rows(model: str, texts: str) -> Callable[[], int]:
    """Return the bare work: the tokenizer's own batch call on the rendered texts, and the ids as lists."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    rows = json.loads(Path(texts).read_text(encoding="utf-8"))

    def work() -> int:
        return sum(
            bool(encoding.ids)
            for first in range(0, len(rows), 1000)
            for encoding in tokenizer.encode_batch(rows[first : first + 1000], add_special_tokens=False)
        )

    return work


def map_rows(model: str, source: str) -> Callable[[], int]:
    """Return what a script with ``datasets.map`` does: image headers, text, tokenizer and labels, one row a call."""
    import datasets
    from PIL import Image
    from tokenizers import Tokenizer

    from dataprep.encode import lay_out
    from dataprep.findings import Location
    from dataprep.formats.reading import read_record
    from dataprep.rules.measuring import make_encoder_from
    from dataprep.tiling import ImageSize

    datasets.disable_progress_bars()
    datasets.disable_caching()
    encoder, folder = make_encoder_from(_config(model)), Path(source).parent
    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    rows = [json.loads(line) for line in Path(source).read_text(encoding="utf-8").splitlines()]
    table = datasets.Dataset.from_list([{"row": json.dumps(row)} for row in rows])

    def encode(entry: dict[str, Any]) -> dict[str, Any]:
        record, _ = read_record(json.loads(entry["row"]), Location(source, 1))
        assert record is not None
        sizes = []
        for ref in record.images:
            with Image.open(folder / ref.source) as image:
                sizes.append(ImageSize(*image.size))
        layout = lay_out(record, encoder.settings, image_sizes=sizes)
        ids: list[int] = []
        labels: list[int] = []
        slots = iter(layout.slot_tokens(encoder.settings.tiles.tokens_per_tile))
        for part in layout.parts:
            text = getattr(part, "text", None)
            run = [encoder.tokenizer.context_id] * next(slots) if text is None else tokenizer.encode(text).ids
            ids += run
            labels += run if getattr(part, "is_trained", False) else [-100] * len(run)
        return {"input_ids": ids, "labels": labels}

    return lambda: len(table.map(encode, remove_columns=["row"]))


def _config(model: str) -> Any:
    from dataprep.config import ConvertConfig

    return ConvertConfig(model_type=MODEL_TYPE, model=Path(model))


def render_texts(model: str, source: Path, target: Path) -> None:
    """Write the text of each row as the tokenizer is given it: template, system prompt, query and answer."""
    from dataprep.encode import lay_out
    from dataprep.findings import Location
    from dataprep.formats.reading import read_record
    from dataprep.rules.measuring import make_encoder_from
    from dataprep.tiling import ImageSize
    from dataprep.tokenization import segment_texts

    settings, texts = make_encoder_from(_config(model)).settings, []
    with source.open(encoding="utf-8") as lines:
        for line in lines:
            record, _ = read_record(json.loads(line), Location(str(source), 1))
            assert record is not None
            layout = lay_out(record, settings, image_sizes=[ImageSize(640, 480)] * len(record.images))
            texts.append("".join(segment_texts(layout.parts)))
    target.write_text(json.dumps(texts), encoding="utf-8")


def main(job: str, *arguments: str) -> None:
    """Run one job and print what it took."""
    prepared = {"tokenize": tokenize_rows, "map": map_rows}
    work = prepared[job](*arguments) if job in prepared else lambda: convert_rows(*arguments)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread, as a worker of convert has
    wall, cpu = time.perf_counter(), _cpu_seconds()
    rows = work()
    result = {"rows": rows, "wall_s": time.perf_counter() - wall, "cpu_s": _cpu_seconds() - cpu}
    workers = int(arguments[3]) if job == "convert" and int(arguments[3]) > 1 else 0
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps(result | {"peak_mb": (own + workers * child) / 1024}))


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main(*sys.argv[1:])
