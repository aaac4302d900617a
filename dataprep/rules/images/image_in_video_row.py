"""Flag images whose tiles a video takes away. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.wording import counted


class ImageInVideoRow(Rule):
    """Image in a row with a video.

    ## What it does
    Reports images in rows that also have a video: each gets one tile.
    ## Why it matters
    As in the reference, a row with a video limits every image to one 448 px tile; details are lost.
    ## Example
    `{"query": "<video><image>q", ...}`
    ## Use instead
    Split the row in two if the image matters.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "image-in-video-row"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        record = row.checked_record
        if record.videos and record.images:
            message = f"{counted(len(record.images), 'image')} in a row with a video: one tile each"
            yield Problem(message=message, field=record.images[0].field, help="split the row in two if details matter")
