"""Flag rows whose own width and height are not those of the image. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.declared_sizes import declared_sizes, is_same_size
from dataprep.tiling import ImageSize


class DeclaredSizeDiffers(Rule):
    """Declared width and height that the image does not have.

    ## What it does
    Reports rows whose `width` and `height` (numbers, or lists with one number per image, also as `width_list` and
    `height_list`) differ from the size in the image's header. Sides swapped by EXIF orientation are no difference.
    ## Why it matters
    The image was resized or replaced after the row was made. Sizes here always come from the file; other tools plan
    tiles from what the row declares.
    ## Example
    `"width": 640, "height": 480` and an image of 1280x960
    ## Use instead
    Take the image that the row was made for, or write the size that it has now.
    ## Options
    None.
    ## Source
    InternVL's chat data format; docs/data.md
    """

    name = "declared-size-differs"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each image of another size than the row says."""
        if not row.images:
            return
        for facts, declared in zip(row.images, declared_sizes(row.value, len(row.images)), strict=True):
            header = facts.header
            if declared is None or header is None:
                continue
            if not is_same_size(declared, ImageSize(header.width, header.height), header.orientation):
                yield Problem(
                    message=f"the row declares {declared.width}x{declared.height}, "
                    f"{facts.shown_source} has {header.width}x{header.height}",
                    field="width",
                    help="was the image resized? take the original, or correct width and height",
                )
