"""Flag videos with fewer frames than are taken. Cost: none beyond the probe."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.wording import counted


class VideoShorterThanFrames(Rule):
    """Video with fewer frames than are taken.

    ## What it does
    Reports videos that have fewer frames than --video-frames asks for; frames are then repeated.
    ## Why it matters
    The model sees the same picture several times and pays for each.
    ## Example
    a 5-frame clip with 8 frames asked for
    ## Use instead
    Use a still image, or a longer clip.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "video-shorter-than-frames"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for facts in row.videos:
            video = facts.video
            if video is not None and video.num_frames < context.video_frames:
                taken = f"{context.video_frames} are taken: some are repeated"
                message = f"{facts.shown_source} has {counted(video.num_frames, 'frame')}, {taken}"
                yield Problem(message=message, field=facts.ref.field, help="use a longer clip or still images")
