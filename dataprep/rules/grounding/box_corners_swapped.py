"""Flag boxes with swapped corners. Cost: four comparisons."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


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
            for x1, y1, x2, y2 in entry.boxes:
                swapped = [text for text, is_bad in (("x1 > x2", x1 > x2), ("y1 > y2", y1 > y2)) if is_bad]
                if swapped:
                    yield Problem(
                        message=f"box {[x1, y1, x2, y2]} has {' and '.join(swapped)}",
                        field=f"{entry.field}.bbox",
                        help="write left, top, right, bottom; or is it x, y, width, height?",
                    )
