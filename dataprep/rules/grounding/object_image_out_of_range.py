"""Flag objects on images that the row does not have. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Fix, Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import path_of, set_value, value_at
from dataprep.wording import counted


def _count_from_zero(row: CheckedRow) -> Fix | None:
    """Return the fix for a row all of whose objects count images from 1."""
    record = row.record
    objects = (record.objects or ()) if record is not None else ()
    if record is None or row.value is None or {entry.image for entry in objects} - {*range(1, len(record.images) + 1)}:
        return None
    if any(value_at(row.value, path_of(f"{entry.field}.image")) != entry.image for entry in objects):
        return None
    edits = tuple(set_value(f"{entry.field}.image", entry.image - 1) for entry in objects)
    return Fix(label="count images from 0", is_safe=False, edits=edits)


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
        objects = (row.record.objects or ()) if row.record else ()
        outside = [entry for entry in objects if count and entry.image >= count]
        fix = _count_from_zero(row) if outside else None
        for entry in outside:
            only = "0 only" if count == 1 else f"0 to {count - 1}"
            message = f"image is {entry.image}, but the row has {counted(count, 'image')}, counted from 0 ({only})"
            yield Problem(message=message, field=f"{entry.field}.image", help="count images from 0", fix=fix)
