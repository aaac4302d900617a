"""Flag objects in rows without images. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.wording import counted


class ObjectsWithoutImage(Rule):
    """Objects in a row without images.

    ## What it does
    Reports rows that have objects but no image, whatever the type of their boxes.
    ## Why it matters
    A box lies on something; the reference prints such boxes unconverted.
    ## Example
    `{"query": "Find <ref-object>", "response": "<bbox>", "objects": [...]}`
    ## Use instead
    Add the image.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "objects-without-image"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        record = row.checked_record
        if record.objects and not record.images:
            yield Problem(
                message=f"{counted(len(record.objects), 'object')}, but no image that they lie on",
                field="objects",
                help="add the image",
            )
