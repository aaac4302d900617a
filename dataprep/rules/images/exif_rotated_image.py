"""Flag images that a viewer shows rotated. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class ExifRotatedImage(Rule):
    """Image that a viewer shows rotated or mirrored.

    ## What it does
    Reports images whose EXIF orientation is not 1, where no boxes lie on them. Silent with --exif
    apply.
    ## Why it matters
    The model is shown the picture as stored: on its side, where a person sees it upright.
    ## Example
    a phone photo with orientation 6
    ## Use instead
    Rotate the pixels and drop the tag, or pass --exif apply.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "exif-rotated-image"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        if context.exif == "apply":
            return
        with_boxes = {entry.image for entry in row.checked_record.objects or ()}
        for index, facts in enumerate(row.images):
            if index not in with_boxes and facts.header is not None and facts.header.orientation != 1:
                turned = f"has EXIF orientation {facts.header.orientation}"
                message = f"{facts.shown_source} {turned}; the model is shown it as stored"
                yield Problem(message=message, field=facts.ref.field, help="rotate the pixels, or pass --exif apply")
