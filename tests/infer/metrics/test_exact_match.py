"""Exact match forgives white space at the ends and nothing else."""

from __future__ import annotations

import pytest

from infer.metrics.exact_match import is_exact_match


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("red", "red", True),
        (" red\n", "red", True),
        ("Red", "red", False),
        ("red.", "red", False),
        ("a  b", "a b", False),
    ],
)
def test_exact_match(prediction: str, reference: str, expected: bool) -> None:
    assert is_exact_match(prediction, reference) is expected
