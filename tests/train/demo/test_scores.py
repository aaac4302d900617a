"""Scores by kind of question, from predictions and from constants."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from train.demo.dataset import Dataset
from train.demo.rows import COLOUR, COUNT, PICK, SHAPE, WHAT, WHERE
from train.demo.scores import over_kinds, score_constants, score_predictions

LINES = (
    {"source_line": 1, "response": "red", "exact_match": True},
    {"source_line": 2, "response": "oval", "exact_match": False},
    {"source_line": 3, "response": "2", "exact_match": True},
    {"source_line": 4, "iou": 0.4, "precision_50": 0.0, "reference_boxes": [[0.0, 0.0, 0.5, 0.5]], "response": "b"},
    {"source_line": 5, "response": "red oval", "exact_match": False},
    {"source_line": 6, "response": "blue", "exact_match": False},
)


@pytest.fixture
def judged(dataset: Dataset, tmp_path: Path) -> tuple[Path, Dataset]:
    """A file of predictions, and what the data set says about its lines."""
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    kinds = (COLOUR, SHAPE, COUNT, WHERE, WHAT, COLOUR)
    return path, replace(dataset, val_kinds=kinds, val_images=tuple(f"{k}.png" for k in range(6)))


def test_predictions_are_scored_by_kind(judged: tuple[Path, Dataset]) -> None:
    scores = score_predictions(*judged)
    assert scores.kinds == {COLOUR: 0.5, SHAPE: 0.0, PICK: 0.0, COUNT: 1.0, WHAT: 0.0}
    assert (scores.mean_iou, scores.precision_50) == (0.4, 0.0)
    assert [line["image"] for line in scores.lines] == [f"{k}.png" for k in range(6)]


def test_kinds_together_are_weighed_by_the_questions_asked(judged: tuple[Path, Dataset]) -> None:
    scores = score_predictions(*judged)
    assert over_kinds(scores, (COLOUR, SHAPE), judged[1].val_kinds) == pytest.approx(1 / 3)
    assert over_kinds(scores, (PICK,), judged[1].val_kinds) == 0.0


def test_constants_are_the_most_common_answer_and_one_box(judged: tuple[Path, Dataset]) -> None:
    lines = score_predictions(*judged).lines
    scores = score_constants(lines, (0.0, 0.0, 0.5, 1.0))
    assert scores.kinds == {COLOUR: 0.5, SHAPE: 1.0, PICK: 0.0, COUNT: 1.0, WHAT: 1.0}
    assert scores.mean_iou == pytest.approx(0.5)
    assert scores.precision_50 == 1.0
