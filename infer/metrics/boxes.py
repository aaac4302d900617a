"""Grounding metrics: intersection over union, and precision at a threshold.

Boxes are (x1, y1, x2, y2) in 0..1 of the image, read from text by the codec that wrote the training data. One
answer may hold several boxes: predicted and reference boxes are paired one to one, best pair first, and a box
without a partner, on either side, counts as IoU 0. With one box on each side this is the usual definition.

Source: IoU and P@0.5 as in the referring-expression literature (Mao et al. 2016, "Generation and Comprehension of
Unambiguous Object Descriptions", section 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class BoxScore:
    """How well one answer's boxes agree with the reference.

    Attributes:
        iou: Mean IoU over the pairs and the boxes left over.
        precision_50: Share of them with an IoU of at least 0.5.
        is_parse_failure: No box could be read from the answer.
    """

    iou: float
    precision_50: float
    is_parse_failure: bool


def box_iou(first: Box, second: Box) -> float:
    """Return the intersection over union of two boxes; a box with x2 <= x1 or y2 <= y1 is empty and gives 0."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    return intersection / (_area(first) + _area(second) - intersection)


def score_boxes(predicted: Sequence[Box], reference: Sequence[Box]) -> BoxScore:
    """Score one answer.

    Args:
        predicted: Boxes of the answer; none means that nothing could be read.
        reference: Boxes of the reference answer, at least one.
    """
    ious = _paired_ious(predicted, reference)
    count = max(len(predicted), len(reference))
    return BoxScore(
        iou=sum(ious) / count,
        precision_50=sum(iou >= 0.5 for iou in ious) / count,
        is_parse_failure=not predicted,
    )


def _paired_ious(predicted: Sequence[Box], reference: Sequence[Box]) -> list[float]:
    pairs = sorted(
        ((box_iou(p, r), -i, -j) for i, p in enumerate(predicted) for j, r in enumerate(reference)),
        reverse=True,
    )
    used_predicted: set[int] = set()
    used_reference: set[int] = set()
    ious = []
    for iou, i, j in pairs:
        if i not in used_predicted and j not in used_reference:
            used_predicted.add(i)
            used_reference.add(j)
            ious.append(iou)
    return ious


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
