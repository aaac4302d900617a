"""Evaluate a model on a split of shards: answer every sample, compare with its reference, write each answer down.

Shards and a model go in; a report (a dictionary of numbers) comes out, and ``predictions.jsonl`` with exactly
one line per sample, in the order of the shards, named by source file and line. A sample that cannot be read
becomes a line with ``error`` and counts as wrong; it never vanishes. Boxes are read from reference and answer
by the codec that conversion used.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from dataprep.grounding import BoxCodec
from dataprep.shards.ledger import require_accounts
from dataprep.shards.manifest import Manifest
from dataprep.shards.reader import Shards, open_shards
from dataprep.shards.samples import Sample
from dataprep.templates import TEMPLATES
from dataprep.tokenization import TextTokenizer, load_tokenizer
from infer.contract import check_model, check_run
from infer.engine import GenerationSettings, Prompt, generate, prompt_ids
from infer.errors import ModelError, SampleError
from infer.inputs import TileReader, check_sample
from infer.metrics.boxes import score_boxes
from infer.metrics.exact_match import is_exact_match
from infer.model import ModelOptions, base_model, check_fits, load_model

PREDICTIONS_NAME = "predictions.jsonl"
REPORT_NAME = "report.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalOptions:
    """How a split is evaluated."""

    split: str = "val"
    """Name of the split."""
    adapter: Path | None = None
    """Folder of a trained adapter, or None."""
    out: Path | None = None
    """Folder for the report and the predictions; None means ``eval-SPLIT`` in the adapter's folder, else here."""
    batch_size: int = 8
    """Samples that are answered at once."""
    max_new_tokens: int = 256
    """Most tokens of an answer."""
    model: ModelOptions = field(default_factory=ModelOptions)
    """Device, type and attention."""

    def out_folder(self) -> Path:
        """Return where the results go."""
        return self.out or (self.adapter or Path()) / f"eval-{self.split}"


def evaluate_shards(
    shards_dir: Path | str, model_dir: Path | str, options: EvalOptions | None = None
) -> dict[str, Any]:
    """Answer every sample of a split, and write predictions and report.

    Args:
        shards_dir: Shard directory.
        model_dir: Folder of the model and its tokenizer.
        options: Split, adapter, output and sizes.

    Returns:
        The report: counts, ``exact_match``, ``grounding`` (mean IoU and P@0.5 over the samples whose reference
        has boxes) and what was evaluated.

    Raises:
        ContractError: If the shards were made for another tokenizer, template, tiling, box style or system prompt.
        ModelError: If model and adapter do not fit together.
        ShardError: If the shards cannot be read, their ledger does not add up, or they have no such split.
    """
    options = options or EvalOptions()
    started_s = time.perf_counter()
    shards = open_shards(shards_dir)
    require_accounts(shards.directory)
    rows = shards.rows(options.split)
    tokenizer = load_tokenizer(Path(model_dir))
    check_model(Path(model_dir), tokenizer, shards)
    if options.adapter is not None:
        check_run(Path(options.adapter), shards, model_dir=Path(model_dir))
    model = load_model(model_dir, options.model, adapter=options.adapter)
    lines = predict(model, shards, rows, tokenizer=tokenizer, options=options)
    report = summarise(lines) | {
        "split": options.split,
        "shards": str(shards_dir),
        "shards_checksum": shards.manifest.checksum,
        "model": str(model_dir),
        "adapter": None if options.adapter is None else str(options.adapter),
        "seconds": round(time.perf_counter() - started_s, 2),
        "predictions": str(options.out_folder() / PREDICTIONS_NAME),
    }
    _write_results(options.out_folder(), lines, report)
    return report


def predict(
    model: Any, shards: Shards, rows: Sequence[int] | np.ndarray, *, tokenizer: TextTokenizer, options: EvalOptions
) -> list[dict[str, Any]]:
    """Return one prediction line per row, in the order of `rows`; batches run from the longest prompt down.

    The longest batch goes first, so that a run that does not fit into memory ends at once.
    """
    inner = base_model(model)
    check_fits(inner.config, shards.manifest)
    settings = GenerationSettings(stop_ids=stop_ids(tokenizer, shards.manifest), max_new_tokens=options.max_new_tokens)
    codec = BoxCodec(style=shards.manifest.box_style, family=shards.manifest.box_family)
    lengths = shards.column("length")
    by_length = sorted(rows, key=lambda row: (-int(lengths[row]), int(row)))
    batches = [by_length[start : start + options.batch_size] for start in range(0, len(by_length), options.batch_size)]
    reader = TileReader(shards)
    lines: dict[int, dict[str, Any]] = {}
    for batch in _progress(batches):
        for sample, answer in _answer(model, shards, batch, reader=reader, settings=settings):
            text = answer if isinstance(answer, SampleError) else tokenizer.plain_text(answer)
            lines[sample.row] = prediction_line(sample, text, codec)
    return [lines[int(row)] for row in rows]


def prediction_line(sample: Sample, answer: str | SampleError, codec: BoxCodec) -> dict[str, Any]:
    """Return the line that says what was asked, expected and answered for one sample."""
    is_error = isinstance(answer, SampleError)
    prediction = "" if isinstance(answer, SampleError) else answer
    line: dict[str, Any] = {
        "source_file": sample.source_file,
        "source_line": sample.source_line,
        "row_hash": sample.row_hash.hex(),
        "prompt": sample.prompt,
        "response": sample.response,
        "prediction": None if is_error else prediction,
        "exact_match": not is_error and is_exact_match(prediction, sample.response),
    }
    if is_error:
        line["error"] = str(answer)
    if reference := codec.parse_boxes(sample.response):
        boxes = codec.parse_boxes(prediction)
        score = score_boxes(boxes, reference)
        line |= {
            "reference_boxes": [[round(c, 6) for c in box] for box in reference],
            "predicted_boxes": [[round(c, 6) for c in box] for box in boxes],
            "iou": score.iou,
            "precision_50": score.precision_50,
            "is_parse_failure": score.is_parse_failure,
        }
    return line


def summarise(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the numbers of a report from prediction lines; a mean over nothing is None."""
    grounded = [line for line in lines if "reference_boxes" in line]
    plain = [line for line in lines if "reference_boxes" not in line]
    return {
        "num_samples": len(lines),
        "num_errors": sum("error" in line for line in lines),
        "exact_match": _mean(lines, "exact_match"),
        "text": {"num_samples": len(plain), "exact_match": _mean(plain, "exact_match")},
        "grounding": {
            "num_samples": len(grounded),
            "mean_iou": _mean(grounded, "iou"),
            "precision_50": _mean(grounded, "precision_50"),
            "num_parse_failures": sum(line["is_parse_failure"] for line in grounded),
        },
    }


def stop_ids(tokenizer: TextTokenizer, manifest: Manifest) -> tuple[int, ...]:
    """Return the tokens that end an answer: the template's end, and the tokenizer's end of text."""
    end = tokenizer.encode(TEMPLATES[manifest.template].end)
    if len(end) != 1:
        raise ModelError(
            f"the template's end {TEMPLATES[manifest.template].end!r} is {len(end)} tokens in this tokenizer, "
            "expected one; use the tokenizer of the model that the template belongs to"
        )
    return tuple(dict.fromkeys((end[0], manifest.eos_token_id)))


def _answer(
    model: Any, shards: Shards, rows: Sequence[int], *, reader: TileReader, settings: GenerationSettings
) -> Iterator[tuple[Sample, list[int] | SampleError]]:
    config, manifest = base_model(model).config, shards.manifest
    samples, prompts = [], []
    for row in rows:
        sample = shards[int(row)]
        try:
            check_sample(
                sample,
                context_token_id=manifest.context_token_id,
                tokens_per_tile=manifest.tokens_per_tile,
                vocab_size=config.text_config.vocab_size,
            )
            prompts.append(Prompt(prompt_ids(sample), reader.tiles(sample)))
            samples.append(sample)
        except SampleError as error:
            yield sample, error
    if prompts:
        yield from zip(samples, generate(model, prompts, settings), strict=True)


def _write_results(folder: Path, lines: Sequence[dict[str, Any]], report: dict[str, Any]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    for name, content in ((PREDICTIONS_NAME, text), (REPORT_NAME, json.dumps(report, indent=2) + "\n")):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f"{name}.tmp"
            with temporary.open("w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / name)
        except OSError as error:
            raise ModelError(f"{folder / name} cannot be written: {error.strerror}; choose another --out") from error


def _mean(lines: Sequence[dict[str, Any]], key: str) -> float | None:
    return sum(line[key] for line in lines) / len(lines) if lines else None


def _progress(batches: Sequence[Any]) -> Iterator[Any]:
    is_terminal = sys.stderr.isatty()
    return iter(track(batches, description="answering", console=Console(stderr=True), disable=not is_terminal))
