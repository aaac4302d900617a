"""Errors survive pickling, since a worker may raise them."""

from __future__ import annotations

import pickle

import pytest

from infer.errors import ModelError, ModelMismatchError, SampleError


@pytest.mark.parametrize(
    "error", [ModelError("no folder"), ModelMismatchError("the tile size", 448, 28), SampleError("a.jsonl:3", "broken")]
)
def test_errors_pickle(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
