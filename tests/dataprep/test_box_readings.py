from __future__ import annotations

import numpy as np
import pytest

from dataprep.box_readings import Boxes, Hypothesis, fit, judge, unit_corners


def boxes_of(numbers: list[list[float]], width: float = 200, height: float = 100) -> Boxes:
    count = len(numbers)
    none = np.zeros(count, dtype=np.int64)
    sizes = np.full(count, float(width)), np.full(count, float(height))
    return Boxes(np.array(numbers, dtype=float), *sizes, none > 0, np.arange(count), np.arange(count), none)


@pytest.mark.parametrize(
    ("order", "frame", "numbers"),
    [
        ("xyxy", "real", [20, 10, 100, 50]),
        ("xywh", "real", [20, 10, 80, 40]),
        ("cxcywh", "real", [60, 30, 80, 40]),
        ("yxyx", "real", [10, 20, 50, 100]),
        ("xyxy", "norm_1", [0.1, 0.1, 0.5, 0.5]),
        ("xyxy", "norm_1000", [100, 100, 500, 500]),
        ("xyxy", "norm_1000 twice", [500, 1000, 2500, 5000]),
    ],
)
def test_one_box_in_all_readings(order: str, frame: str, numbers: list[float]) -> None:
    (box,) = unit_corners([numbers], Hypothesis(order, frame), 200, 100)
    assert box == pytest.approx((0.1, 0.1, 0.5, 0.5))


def test_no_box_is_no_box() -> None:
    assert unit_corners([], Hypothesis("xyxy", "real"), 200, 100) == []


def test_a_box_fits_if_it_has_an_area_inside_the_frame() -> None:
    boxes = boxes_of([[0, 0, 200, 100], [0, 0, 201.5, 100], [50, 50, 50, 60], [-1, 0, 9, 9], [0, 0, 0.9, 0.9]])
    assert fit(boxes, Hypothesis("xyxy", "real")).tolist() == [True, False, False, False, False]


def test_boxes_that_are_what_they_are_called_have_no_verdict() -> None:
    numbers = [[number, number, number + 60, number + 40] for number in range(0, 60, 2)]
    assert judge(boxes_of([list(map(float, box)) for box in numbers]), Hypothesis("xyxy", "real")) is None


def test_shares_called_pixels_are_found() -> None:
    numbers = [[number / 100, number / 100, 1.0, 1.0] for number in range(30)]
    verdict = judge(boxes_of(numbers), Hypothesis("xyxy", "real"))
    assert verdict is not None
    assert (verdict.found, verdict.boxes, verdict.found_fit) == (Hypothesis("xyxy", "norm_1"), 30, 1.0)
