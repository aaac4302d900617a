"""The best constant box."""

from __future__ import annotations

import numpy as np
import pytest

from infer.metrics.boxes import box_iou
from train.demo.baseline import best_constant_box


def test_equal_boxes_on_the_grid_are_found_exactly() -> None:
    boxes = np.tile(np.array([0.25, 0.5, 0.75, 0.875]), (5, 1))
    assert best_constant_box(boxes) == pytest.approx((0.25, 0.5, 0.75, 0.875))


def test_no_other_box_of_a_coarse_grid_is_better() -> None:
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(size=(50, 2, 2)), axis=2)
    boxes = np.stack([corners[:, 0, 0], corners[:, 1, 0], corners[:, 0, 1], corners[:, 1, 1]], axis=1)

    def mean_iou(box: tuple[float, float, float, float]) -> float:
        return float(np.mean([box_iou(box, tuple(row)) for row in boxes]))

    best = mean_iou(best_constant_box(boxes))
    lines = [k / 8 for k in range(9)]
    others = [(a, b, c, d) for a in lines for c in lines if a < c for b in lines for d in lines if b < d]
    assert best >= max(map(mean_iou, others)) - 1e-9
