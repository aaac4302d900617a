"""Loss masks on flat arrays: the last run of a row, and answers found again by the ids around them."""

from __future__ import annotations

import numpy as np
import pytest

from dataprep.errors import ShardError
from dataprep.loss_masks import keep_last_answers, label_answers

START, END = (7, 8), 9


def flat(*rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, rows)])
    return np.array([value for row in rows for value in row], dtype=np.int32), offsets


def test_the_last_run_of_each_row_is_kept() -> None:
    labels, offsets = flat([-100, 1, 2, -100, 3], [], [4, -100, 5, 6], [-100, -100], [7], [-100, 8, -100])
    kept = keep_last_answers(labels, offsets)
    expected, _ = flat([-100, -100, -100, -100, 3], [], [-100, -100, 5, 6], [-100, -100], [7], [-100, 8, -100])
    assert kept.tolist() == expected.tolist()
    assert labels[1] == 1, "the input is left as it is"


def test_a_run_at_the_end_of_a_row_does_not_reach_into_the_next() -> None:
    labels, offsets = flat([-100, 1], [2, -100, 3])
    assert keep_last_answers(labels, offsets).tolist() == [-100, 1, -100, -100, 3]


@pytest.mark.parametrize("rows", [[], [[]], [[-100, -100]], [[], [-100]]])
def test_rows_without_loss_stay_as_they_are(rows: list[list[int]]) -> None:
    labels, offsets = flat(*rows)
    assert keep_last_answers(labels, offsets).tolist() == labels.tolist()


def test_answers_are_found_by_the_ids_around_them() -> None:
    ids, offsets = flat([1, 7, 8, 2, 9, 3, 7, 8, 9], [4, 4], [7, 8, 5, 9])
    labels = label_answers(ids, offsets, answer_start_ids=START, end_id=END)
    expected, _ = flat([-100, -100, -100, 2, 9, -100, -100, -100, 9], [-100, -100], [-100, -100, 5, 9])
    assert labels.tolist() == expected.tolist()


@pytest.mark.parametrize("rows", [[[7, 8, 1]], [[7, 8], [9]], [[7, 8, 1], [9, 9]]])
def test_an_answer_without_an_end_is_an_error(rows: list[list[int]]) -> None:
    ids, offsets = flat(*rows)
    with pytest.raises(ShardError, match="has no end token"):
        label_answers(ids, offsets, answer_start_ids=START, end_id=END)


@pytest.mark.parametrize("rows", [[], [[7]], [[7], [8, 9]]])
def test_ids_too_short_for_an_answer_have_none(rows: list[list[int]]) -> None:
    ids, offsets = flat(*rows)
    if len(rows) == 2:  # the start of an answer does not stretch over two rows
        with pytest.raises(ShardError, match="has no end token"):
            label_answers(ids, offsets, answer_start_ids=(7, 8, 9), end_id=1)
        return
    assert (label_answers(ids, offsets, answer_start_ids=START, end_id=END) == -100).all()
