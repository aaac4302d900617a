"""Flag images that fit no grid of tiles. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext

MAX_ASPECT = 12
"""Longest grid of tiles that any model type has by default."""


class ImageAspectExtreme(Rule):
    """Image much longer than wide.

    ## What it does
    Reports images whose longer side is more than twelve times the shorter one.
    ## Why it matters
    The widest grid has twelve tiles in a row. A longer picture is squeezed into it, and text in it
    becomes unreadable.
    ## Example
    a screenshot of 1080x20000 pixels
    ## Use instead
    Cut it into several images.
    ## Options
    None.
    ## Source
    dataprep/tiling.py; OpenGVLab/InternVL, "Dynamic resolution"
    """

    name = "image-aspect-extreme"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each image that fits no grid of tiles."""
        most = context.model_type.max_num if context.model_type is not None else MAX_ASPECT
        for facts in row.images:
            size = facts.image_size(exif=context.exif)
            if size is None:
                continue
            aspect = max(size.width, size.height) / min(size.width, size.height)
            if aspect > most:
                squeezed = f"the longest grid of tiles is {most}:1, so it is squeezed {aspect / most:.1f} times"
                message = f"{facts.shown_source} is {size.width}x{size.height}, {aspect:.0f}:1; {squeezed}"
                yield Problem(message=message, field=facts.ref.field, help="cut it into several images")
