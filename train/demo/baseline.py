"""The box to beat without looking: the constant that fits the training boxes best.

A model that has learnt only where shapes usually are does as well as this, so its grounding says something
about seeing only where it is clearly better.
"""

import numpy as np

from infer.metrics.boxes import Box

_GRID_LINES = 17
_MOST_BOXES = 4000


def best_constant_box(boxes: np.ndarray) -> Box:
    """Return the one box whose mean IoU with `boxes` is highest, searched over corners on a 16 x 16 grid.

    Args:
        boxes: float64 (N, 4), 0..1 of the picture; the first 4,000 are used.
    """
    lines = np.linspace(0, 1, _GRID_LINES)
    starts, ends = (lines[index] for index in np.triu_indices(_GRID_LINES, k=1))
    boxes = boxes[:_MOST_BOXES]
    # IoU splits into sides: the overlap of two boxes is the product of the overlaps of their shadows on the axes.
    width = _overlaps(starts, ends, boxes[:, 0], boxes[:, 2])
    height = _overlaps(starts, ends, boxes[:, 1], boxes[:, 3])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    best, best_box = -1.0, (0.0, 0.0, 1.0, 1.0)
    for column in range(len(starts)):
        common = width[column] * height
        own = (ends[column] - starts[column]) * (ends - starts)
        means = (common / (own[:, None] + areas - common)).mean(1)
        row = int(means.argmax())
        if means[row] > best:
            best = float(means[row])
            best_box = (starts[column], starts[row], ends[column], ends[row])
    x1, y1, x2, y2 = (float(value) for value in best_box)
    return (x1, y1, x2, y2)


def _overlaps(starts: np.ndarray, ends: np.ndarray, lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
    """Return the length of overlap of each interval with each other one, (intervals, others)."""
    common = np.minimum(ends[:, None], highs) - np.maximum(starts[:, None], lows)
    return np.maximum(common, 0.0)
