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
    schemas/object.schema.json; SEMANTICS of the reference, ms-swift 2.6.1; docs/data.md
    """

    name = "box-without-area"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for entry in row.checked_record.objects or ():
            for box in entry.boxes:
                if (box[0] == box[2] or box[1] == box[3]) and not (box[0] > box[2] or box[1] > box[3]):
                    yield Problem(
                        message=f"box {list(box)} has no area",
                        field=f"{entry.field}.bbox",
                        help="mend the annotation or leave the object out",
                    )
