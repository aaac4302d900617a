"""Flag boxes on images that a viewer shows rotated. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class BoxesOnRotatedImage(Rule):
    """Boxes on an image that a viewer shows rotated.

    ## What it does
    Reports rows with objects on an image whose EXIF orientation is not 1. Silent with --exif apply,
    where boxes mean the upright image.
    ## Why it matters
    Boxes drawn on the upright picture lie elsewhere on the stored one.
    ## Example
    boxes from an annotation tool on phone photos
    ## Use instead
    Rotate the pixels and drop the tag, or pass --exif apply if the boxes mean the upright image.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "boxes-on-rotated-image"
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        if context.exif == "apply":
            return
        for index in sorted({entry.image for entry in row.checked_record.objects or ()}):
            header = row.images[index].header if index < len(row.images) else None
            if header is not None and header.orientation != 1:
                message = (
                    f"boxes lie on {row.images[index].shown_source}, which has EXIF orientation {header.orientation}"
                )
                yield Problem(
                    message=message,
                    field="objects",
                    help="rotate the pixels, or pass --exif apply if the boxes mean the upright image",
                )
