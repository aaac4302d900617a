"""Flag animated images. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class AnimatedImage(Rule):
    """Animated image.

    ## What it does
    Reports images of several frames: animated GIF, PNG and WebP files, many-page TIFF files.
    ## Why it matters
    Only the first frame is seen, which is often blank.
    ## Example
    an animated GIF in `images`
    ## Use instead
    Save the frame that is meant, or list the file under `videos`.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "animated-image"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each image of several frames."""
        for facts in row.images:
            header = facts.header
            if header is not None and header.is_animated and header.format != "MPO":
                message = f"{facts.shown_source} has {header.frames or 'several'} frames, the model sees the first only"
                yield Problem(message=message, field=facts.ref.field, help="save the frame that is meant")
