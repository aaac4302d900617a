"""Flag boxes that were normalised twice. Cost: arithmetic on the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.grounding import to_unit
from dataprep.records import GroundedObject
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tiling import ImageSize

_CORNER_PX = 2.0


def _is_in_corner(entry: GroundedObject, size: ImageSize) -> bool:
    boxes = [to_unit(box, entry.bbox_type, size.width, size.height) for box in entry.boxes]
    return all(
        max(x1, x2) * size.width <= _CORNER_PX and max(y1, y2) * size.height <= _CORNER_PX for x1, y1, x2, y2 in boxes
    )


class BoxNormalisedTwice(Rule):
    """Boxes that were normalised twice.

    ## What it does
    Reports rows all of whose `norm_1` or `norm_1000` boxes lie within the first two pixels of their
    image.
    ## Why it matters
    Dividing by the image's size a second time, or taking 0..1 for pixels, pushes every box into the
    top left corner.
    ## Example
    `[0, 1, 1, 2]` as norm_1000, made from `[0.21, 0.28, 0.36, 0.74]`
    ## Use instead
    Normalise once: write the first result, or pixels with `bbox_type: real`.
    ## Options
    None.
    ## Source
    ms-swift 4.5.2, where norm_1 boxes become such ones; dataprep/grounding.py
    """

    name = "box-normalised-twice"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the row if all of its normalised boxes crowd in the corner."""
        entries = [entry for entry in row.checked_record.objects or () if entry.bbox_type in ("norm_1", "norm_1000")]
        sizes = [context.image_size(row, entry.image) for entry in entries]
        if not entries or not all(
            size is not None and min(size.width, size.height) > 4 * _CORNER_PX and _is_in_corner(entry, size)
            for entry, size in zip(entries, sizes, strict=True)
        ):
            return
        first = entries[0]
        box = f"{list(first.boxes[0])}"
        which = f"the {first.bbox_type} box {box} lies"
        if len(entries) > 1:
            which = f"all {len(entries)} {first.bbox_type} boxes, such as {box}, lie"
        message = f"{which} within the first {_CORNER_PX:.0f} pixels of the image: normalised twice?"
        yield Problem(message=message, field=f"{first.field}.bbox", help="write boxes that were normalised once")
