"""Flag boxes without area. Cost: four comparisons."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class BoxWithoutArea(Rule):
    """Box without area.

    ## What it does
    Reports boxes with x1 = x2 or y1 = y2.
    ## Why it matters
    There is nothing to see in it, and its overlap with any answer is zero.
    ## Example
    `[504, 337, 504, 337]`
    ## Use instead
    Mend the annotation, or leave the object out.
    ## Options
    None.
    ## Source
    schemas/object.schema.json; The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "box-without-area"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each box of zero width or height."""
        for entry in row.checked_record.objects or ():
            for x1, y1, x2, y2 in entry.boxes:
                if (x1 == x2 or y1 == y2) and x1 <= x2 and y1 <= y2:
                    message = f"box {[x1, y1, x2, y2]} has no area"
                    step = "mend the annotation or leave the object out"
                    yield Problem(message=message, field=f"{entry.field}.bbox", help=step)
