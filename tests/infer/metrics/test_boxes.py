"""Box metrics against numbers worked out by hand."""

from __future__ import annotations

import pytest

from infer.metrics.boxes import BoxScore, box_iou, score_boxes

UNIT = (0.0, 0.0, 1.0, 1.0)
LEFT, RIGHT, MIDDLE = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.25, 0.0, 0.75, 1.0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (UNIT, UNIT, 1.0),
        (LEFT, RIGHT, 0.0),
        (LEFT, UNIT, 0.5),
        (LEFT, MIDDLE, 0.25 / 0.75),
        ((0.0, 0.0, 0.0, 1.0), UNIT, 0.0),
        ((0.8, 0.8, 0.2, 0.2), UNIT, 0.0),
    ],
)
def test_iou(first: tuple[float, ...], second: tuple[float, ...], expected: float) -> None:
    assert box_iou(first, second) == pytest.approx(expected)  # type: ignore[arg-type]
    assert box_iou(second, first) == pytest.approx(expected)  # type: ignore[arg-type]


def test_one_box_each_is_the_usual_definition() -> None:
    assert score_boxes([LEFT], [UNIT]) == BoxScore(0.5, 1.0, False)
    assert score_boxes([LEFT], [MIDDLE]) == BoxScore(pytest.approx(1 / 3), 0.0, False)


def test_no_box_is_a_parse_failure() -> None:
    assert score_boxes([], [UNIT]) == BoxScore(0.0, 0.0, True)


def test_several_boxes_are_paired_best_first_and_order_does_not_matter() -> None:
    assert score_boxes([RIGHT, LEFT], [LEFT, RIGHT]) == BoxScore(1.0, 1.0, False)
    assert score_boxes([LEFT, LEFT], [LEFT, RIGHT]) == BoxScore(0.5, 0.5, False)


def test_boxes_left_over_count_as_nothing() -> None:
    assert score_boxes([LEFT, RIGHT], [LEFT]) == BoxScore(0.5, 0.5, False)
    assert score_boxes([LEFT], [LEFT, RIGHT]) == BoxScore(0.5, 0.5, False)
