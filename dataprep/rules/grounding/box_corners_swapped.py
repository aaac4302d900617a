"""Flag boxes with swapped corners. Cost: four comparisons."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Fix, Problem
from dataprep.grounding import limits
from dataprep.records import GroundedObject, Number
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import path_of, set_value, value_at


def _sort_corners(row: CheckedRow, entry: GroundedObject, index: int) -> Fix | None:
    """Return the fix that sorts the corners; safe where the box cannot be x, y, width, height."""
    field = f"{entry.field}.bbox" + (f"[{index}]" if len(entry.boxes) > 1 else "")
    x1, y1, x2, y2 = entry.boxes[index]
    if row.value is None or value_at(row.value, path_of(field)) != [x1, y1, x2, y2]:
        return None
    box: list[Number] = [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]
    # Pixels have no limit before the image is known.
    far_x, far_y = (None, None) if entry.bbox_type == "real" else limits(entry.bbox_type, 0, 0)
    is_no_size = far_x is not None and far_y is not None and (x1 + x2 > far_x or y1 + y2 > far_y)
    return Fix(label="sort the corners", is_safe=is_no_size, edits=(set_value(field, box),))


class BoxCornersSwapped(Rule):
    """Box whose corners are swapped.

    ## What it does
    Reports boxes with x1 > x2 or y1 > y2, and says which.
    ## Why it matters
    The reference prints them as they are; an evaluator sees an empty box.
    ## Example
    `[235, 359, 138, 136]`
    ## Use instead
    `[138, 136, 235, 359]`: left, top, right, bottom
    ## Options
    None.
    ## Source
    schemas/object.schema.json; The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "box-corners-swapped"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each box whose corners are not top left and bottom right."""
        for entry in row.checked_record.objects or ():
            for index, (x1, y1, x2, y2) in enumerate(entry.boxes):
                swapped = [text for text, is_bad in (("x1 > x2", x1 > x2), ("y1 > y2", y1 > y2)) if is_bad]
                if swapped:
                    yield Problem(
                        message=f"box {[x1, y1, x2, y2]} has {' and '.join(swapped)}",
                        field=f"{entry.field}.bbox",
                        help="write left, top, right, bottom; or is it x, y, width, height?",
                        fix=_sort_corners(row, entry, index),
                    )
