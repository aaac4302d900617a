"""Flag objects on images that the row does not have. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class ObjectImageOutOfRange(Rule):
    """Object on an image that the row does not have.

    ## What it does
    Reports objects whose `image` is negative or not below the number of images.
    ## Why it matters
    A negative index counts from the end in the reference; one too large ends the run.
    ## Example
    `"image": 3` in a row with one image
    ## Use instead
    Count images from 0.
    ## Options
    None.
    ## Source
    schemas/object.schema.json; The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "object-image-out-of-range"
    level = Level.SHAPE

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        count = len(row.record.images) if row.record else 0
        for problem in row.shape_problems:
            if problem.kind == "image-index":
                yield Problem(message=problem.message, field=problem.field, help="count images from 0")
        for entry in (row.record.objects or ()) if row.record else ():
            if count and entry.image >= count:
                message = f"image is {entry.image}, the row has {count} (0..{count - 1})"
                yield Problem(message=message, field=f"{entry.field}.image", help="count images from 0")
