"""What every importer yields: one image with its labelled boxes or captions, in pixels of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dataprep.records import Number

_DECIMALS = 6  # of a pixel: sums of decimal fractions are no longer exact, and nobody measures finer


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One annotation.

    Attributes:
        label: Name of its class, or the phrase that refers to it; None where the annotation names none that is known.
        corners: x1, y1, x2, y2; whatever the annotation holds instead where that is no box.
        bbox_type: ``real`` (pixels); ``norm_1`` (0..1) where the size of the image is not known.
    """

    label: str | None
    corners: list[Any]
    bbox_type: str = "real"

    @property
    def is_box(self) -> bool:
        """Whether the corners are four numbers."""
        return len(self.corners) == 4 and all(is_number(value) for value in self.corners)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedImage:
    """An image and what is known of it.

    Attributes:
        place: Where the annotations stand, for messages: a file, an image id.
        path: The image file below the folder of images; None if the annotations name none.
        width: Declared or measured width in pixels; None if unknown.
        height: Likewise.
        boxes: Its annotations, in the order of the file.
        captions: Sentences about the whole image.
        has_more: Whether it has annotations that were left out: without others it is no image without objects.
    """

    place: str
    path: str | None
    width: int | None = None
    height: int | None = None
    boxes: Sequence[LabelledBox] = field(default=())
    captions: Sequence[str] = field(default=())
    has_more: bool = False


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def tidy(value: Number) -> Number:
    """Return a coordinate without the dust of binary fractions; a whole number as int."""
    rounded = round(value, _DECIMALS)
    return int(rounded) if rounded == int(rounded) else rounded


def corners_of(box: Any) -> list[Any]:
    """Return x1, y1, x2, y2 of a box given as x, y, width, height; what is no such box comes back as it is."""
    if not isinstance(box, list | tuple):
        return [box]
    if len(box) != 4 or not all(map(is_number, box)):
        return list(box)
    x, y, width, height = box
    return [tidy(x), tidy(y), tidy(x + width), tidy(y + height)]


def size_of(value: object) -> int | None:
    """Return a declared width or height; None for anything that cannot be one."""
    return int(value) if is_number(value) and value == int(value) and value > 0 else None  # type: ignore[call-overload, operator]
