"""Flag boxes that leave their image. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Fix, Problem
from dataprep.grounding import limits
from dataprep.records import GroundedObject, Number
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import path_of, set_value, value_at
from dataprep.tiling import ImageSize


def _boxes(row: CheckedRow) -> Iterator[tuple[GroundedObject, str, tuple[Number, ...]]]:
    for entry in row.checked_record.objects or ():
        for index, box in enumerate(entry.boxes):
            field = f"{entry.field}.bbox"
            yield entry, f"{field}[{index}]" if len(entry.boxes) > 1 else field, box


def _describe(box: tuple[Number, ...], max_x: Number, max_y: Number) -> str:
    named = zip(("x1", "y1", "x2", "y2"), box, (max_x, max_y, max_x, max_y), strict=True)
    for name, value, limit in named:
        if value < 0:
            return f"{name} is {value}, below 0"
        if value > limit:
            return f"{name} exceeds {limit} by {round(value - limit, 6)}"
    return ""


def _clip(row: CheckedRow, field: str, box: tuple[Number, ...], far: tuple[Number, Number]) -> Fix | None:
    """Return the fix that clips a box, if something is left of it."""
    x1, y1, x2, y2 = (min(max(value, 0), far[index % 2]) for index, value in enumerate(box))
    if x1 >= x2 or y1 >= y2 or row.value is None or value_at(row.value, path_of(field)) != list(box):
        return None
    return Fix(label="clip the box", is_safe=False, edits=(set_value(field, [x1, y1, x2, y2]),))


def _hint(bbox_type: str, box: tuple[Number, ...]) -> str:
    if bbox_type == "norm_1":
        return "norm_1 is 0..1; these numbers look like " + ("norm_1000 or pixels" if max(box) > 2 else "an overhang")
    return "check bbox_type; clip the box if it only overhangs"


class BoxOutsideImage(Rule):
    """Box that leaves its image.

    ## What it does
    Reports boxes with a coordinate below 0, or beyond the image's width or height (`real`), 1
    (`norm_1`) or 1000 (`norm_1000`).
    ## Why it matters
    The reference clips nothing: the model is taught coordinates that do not exist.
    ## Example
    `[600, 400, 900, 700]` on a 640x480 image
    ## Use instead
    Find out which coordinates the box is in; clip it if it overhangs by a pixel.
    ## Options
    None.
    ## Source
    schemas/object.schema.json; The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "box-outside-image"
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for entry, field, box in _boxes(row):
            size = context.image_size(row, entry.image) or (ImageSize(1, 1) if entry.bbox_type != "real" else None)
            if size is None:
                continue
            max_x, max_y = limits(entry.bbox_type, size.width, size.height)
            text = _describe(box, max_x, max_y)
            if text:
                space = (
                    f"the {size.width}x{size.height} image"
                    if entry.bbox_type == "real"
                    else f"{entry.bbox_type} (0..{max_x})"
                )
                message = f"box {list(box)} leaves {space}: {text}"
                fix = _clip(row, field, box, (max_x, max_y))
                yield Problem(message=message, field=field, help=_hint(entry.bbox_type, box), fix=fix)
