"""Errors survive pickling and say what to do."""

from __future__ import annotations

import pickle

from train.errors import NonFiniteLossError


def test_many_rows_are_cut_and_the_error_pickles() -> None:
    error = NonFiniteLossError(7, tuple(f"a.jsonl:{n}" for n in range(1, 31)), None)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert "a.jsonl:20 and 10 more. no checkpoint was written before it" in str(error)
