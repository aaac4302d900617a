"""Flag videos whose frames cannot be decoded. Cost: decoding the frames that conversion takes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class VideoFramesDamaged(Rule):
    """Video with frames that cannot be decoded.

    ## What it does
    Decodes the frames that conversion takes out of each video (--video-frames) and reports videos of which
    one cannot be. Runs at level 3.
    ## Why it matters
    Such a video opens, its size and frames can be counted, and conversion rejects the row hours later (as
    V352).
    ## Example
    a download that lost a piece in its middle
    ## Use instead
    Copy the file again from its source, or leave the row out.
    ## Options
    None.
    ## Source
    docs/data.md, "Videos"
    """

    name = "video-frames-damaged"
    level = Level.PIXELS

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each video whose frames do not decode."""
        for facts, error in zip(row.videos, row.frame_errors, strict=True):
            if error is not None:
                message = f"{facts.shown_source}: {error.detail}"
                yield Problem(message=message, field=facts.ref.field, help="copy the file again or leave the row out")
