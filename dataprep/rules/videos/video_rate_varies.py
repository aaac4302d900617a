"""Flag videos of a variable frame rate. Cost: none beyond the probe."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class VideoRateVaries(Rule):
    """Video whose frame rate varies.

    ## What it does
    Reports videos whose frames do not follow each other at even distances in time.
    ## Why it matters
    Frames are chosen by number, evenly: in such a video that is not evenly in time, and a moment
    that the answer speaks of may be left out.
    ## Example
    a screen recording or a phone video
    ## Use instead
    Convert it to a constant rate: `ffmpeg -i in.mp4 -r 25 out.mp4`.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "video-rate-varies"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each video of a variable frame rate."""
        for facts in row.videos:
            if facts.video is not None and facts.video.is_variable_rate:
                message = f"{facts.shown_source} has a variable frame rate; frames are chosen by number, not by time"
                yield Problem(message=message, field=facts.ref.field, help="convert it: ffmpeg -i in.mp4 -r 25 out.mp4")
