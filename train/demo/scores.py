"""Scores of held-out answers by kind of question: of a model's predictions, or of answers that never look.

Predictions come in the order of `val.jsonl`, so the kind of line n is what the data set says about its row n.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infer.metrics.boxes import Box, box_iou
from train.demo.dataset import Dataset
from train.demo.rows import QUESTION_KINDS, WHERE

TEXT_KINDS = tuple(kind for kind in QUESTION_KINDS if kind != WHERE)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a set of answers is worth.

    Attributes:
        kinds: Share of exact answers for each kind of question that is answered in words, 0..1.
        mean_iou: Mean IoU over the questions that are answered with a box, 0..1.
        precision_50: Share of them with an IoU of at least 0.5.
        lines: The prediction lines, each with its `kind` and `image`.
    """

    kinds: dict[str, float]
    mean_iou: float
    precision_50: float
    lines: tuple[dict[str, Any], ...]


def score_predictions(path: Path, dataset: Dataset) -> Scores:
    """Read `predictions.jsonl` of the held-out split and score it by kind."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        number = line["source_line"] - 1
        line["kind"], line["image"] = dataset.val_kinds[number], dataset.val_images[number]
    boxes = [line for line in lines if line["kind"] == WHERE]
    kinds = {kind: _mean([float(line["exact_match"]) for line in lines if line["kind"] == kind]) for kind in TEXT_KINDS}
    return Scores(
        kinds,
        _mean([line["iou"] for line in boxes]),
        _mean([line["precision_50"] for line in boxes]),
        tuple(lines),
    )


def over_kinds(scores: Scores, kinds: tuple[str, ...], asked: tuple[str, ...]) -> float:
    """Return the share of exact answers over several kinds together.

    Args:
        scores: Shares by kind.
        kinds: The kinds to take together.
        asked: The kind of each question that was asked.
    """
    numbers = {kind: asked.count(kind) for kind in kinds}
    total = sum(numbers.values())
    return sum(scores.kinds[kind] * number for kind, number in numbers.items()) / total if total else 0.0


def score_constants(lines: tuple[dict[str, Any], ...], box: Box) -> Scores:
    """Score answers that do not look: `box` to grounding questions, else the most common reference."""
    ious = [box_iou(box, tuple(line["reference_boxes"][0])) for line in lines if line["kind"] == WHERE]
    kinds = {
        kind: _most_common_share([line["response"] for line in lines if line["kind"] == kind]) for kind in TEXT_KINDS
    }
    return Scores(kinds, _mean(ious), _mean([float(iou >= 0.5) for iou in ious]), ())


def _most_common_share(answers: list[str]) -> float:
    return Counter(answers).most_common(1)[0][1] / len(answers) if answers else 0.0


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
