"""Boxes between a row's coordinates and the text that a model reads and writes.

One codec serves conversion, lint, inference and metrics. Two styles:

* ``swift`` does the reference's arithmetic: pixels and 0..1 become thousandths by ``int(c / dim * 999)``
  (float64, division first, truncated), ``norm_1000`` numbers are printed as they are.
* ``internvl`` is what InternVL's own documentation shows: ``round(c / dim * 1000)``, clipped to 0..1000.

Source: ms-swift 2.6.1 (normalize_bbox, replace_object, replace_box); OpenGVLab/InternVL documentation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dataprep.records import Number

BBOX_TYPES = ("real", "norm_1", "norm_1000")
BOX_STYLES = ("swift", "internvl")

_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_SQUARE = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")
_PAIRS = re.compile(rf"\({_NUMBER},{_NUMBER}\)\s*,\s*\({_NUMBER},{_NUMBER}\)")

UnitBox = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxCodec:
    """How boxes and captions are written for one model family.

    Attributes:
        style: ``swift`` or ``internvl``.
        family: ``internvl2`` or ``v1_5``; matters for the ``swift`` style only.
    """

    style: str = "swift"
    family: str = "internvl2"

    @property
    def scale(self) -> int:
        """The number that the far edge of the image maps to."""
        return 999 if self.style == "swift" else 1000

    def to_model(self, box: Sequence[Number], bbox_type: str, width_px: int, height_px: int) -> list[Number]:
        """Return a box in model coordinates.

        Args:
            box: x1, y1, x2, y2 in ``bbox_type`` coordinates.
            bbox_type: ``real``, ``norm_1`` or ``norm_1000``.
            width_px: Width of the image that the box lies on.
            height_px: Its height.
        """
        if self.style == "swift":
            if bbox_type == "norm_1000":
                return list(box)
            if bbox_type == "norm_1":
                return [int(c * 999) for c in box]
            x1, y1, x2, y2 = box
            return [
                int(x1 / width_px * 999), int(y1 / height_px * 999),
                int(x2 / width_px * 999), int(y2 / height_px * 999),
            ]  # fmt: skip
        scaled = [u * 1000 for u in to_unit(box, bbox_type, width_px, height_px)]
        return [min(max(round(c), 0), 1000) for c in scaled]

    def format_boxes(self, boxes: Sequence[Sequence[Number]]) -> str:
        """Return the text of one object's boxes, given in model coordinates."""
        if self.style == "internvl":
            return f"<box>[{', '.join(_join(box) for box in boxes)}]</box>"
        if self.family == "v1_5":
            return ",".join(f"[({b[0]},{b[1]}),({b[2]},{b[3]})]" for b in boxes)
        return f"<box> [{','.join(_join(box) for box in boxes)}] </box>"

    def format_caption(self, caption: str) -> str:
        """Return the text of an object's caption."""
        if self.style == "swift" and self.family == "v1_5":
            return caption
        return f"<ref>{caption}</ref>"

    def parse_boxes(self, text: str) -> list[UnitBox]:
        """Return the boxes in a model's text as 0..1 of the image, in text order; none is an empty list.

        Numbers outside the scale are clipped to the image, corners are left as they were written.
        """
        pattern = _PAIRS if self.style == "swift" and self.family == "v1_5" else _SQUARE
        boxes = []
        for match in pattern.finditer(text):
            x1, y1, x2, y2 = (min(max(float(c) / self.scale, 0.0), 1.0) for c in match.groups())
            boxes.append((x1, y1, x2, y2))
        return boxes


def _join(box: Sequence[Number]) -> str:
    return f"[{', '.join(map(str, box))}]"


_LARGEST = 1e300


def to_unit(box: Sequence[Number], bbox_type: str, width_px: int, height_px: int) -> UnitBox:
    """Return a box of any type as 0..1 of its image."""
    try:
        return _to_unit(box, bbox_type, width_px, height_px)
    except OverflowError:  # whole numbers of hundreds of digits, which no float holds
        return _to_unit([min(max(c, -_LARGEST), _LARGEST) for c in box], bbox_type, width_px, height_px)


def _to_unit(box: Sequence[Number], bbox_type: str, width_px: int, height_px: int) -> UnitBox:
    x1, y1, x2, y2 = box
    if bbox_type == "norm_1":
        return (float(x1), float(y1), float(x2), float(y2))
    if bbox_type == "norm_1000":
        return (x1 / 1000, y1 / 1000, x2 / 1000, y2 / 1000)
    return (x1 / width_px, y1 / height_px, x2 / width_px, y2 / height_px)


def limits(bbox_type: str, width_px: int, height_px: int) -> tuple[Number, Number]:
    """Return the largest x and y that a box of this type may have."""
    return {"norm_1": (1, 1), "norm_1000": (1000, 1000)}.get(bbox_type, (width_px, height_px))
