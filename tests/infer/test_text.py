"""The report for people shows every number with its count."""

from __future__ import annotations

from infer.evaluate import summarise
from infer.text import report_text


def test_report_of_nothing_has_dashes_and_the_path() -> None:
    text = report_text(summarise([]) | {"predictions": "out/predictions.jsonl"})
    assert text.count(" - ") == 4
    assert text.endswith("predictions: out/predictions.jsonl")
    assert "could not be read" not in text


def test_errors_are_mentioned() -> None:
    text = report_text(summarise([]) | {"num_errors": 2, "predictions": "p"})
    assert "samples that could not be read: 2" in text
