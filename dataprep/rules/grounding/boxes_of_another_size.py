"""Flag pixel boxes that were measured on an image of another size. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.declared_sizes import declared_sizes, is_same_size
from dataprep.tiling import ImageSize
from dataprep.wording import counted


class BoxesOfAnotherSize(Rule):
    """Pixel boxes of an image that had another size.

    ## What it does
    Reports rows with `real` boxes on an image whose declared `width` and `height` differ from the size in its header.
    ## Why it matters
    The boxes were measured on an image of the declared size. On the one that is there they lie in the wrong places,
    and often still inside it, where nothing else can tell.
    ## Example
    `"width": 640, "height": 480`, a box `[100, 100, 300, 200]`, and an image of 1280x960
    ## Use instead
    Take the image that the boxes were drawn on, or scale the boxes with it and correct `width` and `height`.
    ## Options
    None.
    ## Source
    docs/data.md, boxes
    """

    name = "boxes-of-another-size"
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each image whose boxes belong to another size."""
        objects = row.checked_record.objects
        if not objects or not row.images:
            return
        sizes = declared_sizes(row.value, len(row.images))
        for number, (facts, declared) in enumerate(zip(row.images, sizes, strict=True)):
            measured = [entry for entry in objects if entry.image == number and entry.bbox_type == "real"]
            header = facts.header
            if declared is None or header is None or not measured:
                continue
            if not is_same_size(declared, ImageSize(header.width, header.height), header.orientation):
                num_boxes = sum(len(entry.boxes) for entry in measured)
                yield Problem(
                    message=f"{counted(num_boxes, 'pixel box', 'pixel boxes')} for {declared.width}x{declared.height} "
                    f"on {facts.shown_source} of {header.width}x{header.height}",
                    field=measured[0].field,
                    help="take the image that the boxes were drawn on, or scale the boxes",
                )
