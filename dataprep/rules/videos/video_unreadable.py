"""Flag files from which no frame can be read. Cost: opening the container."""

from __future__ import annotations

from dataprep.media.index import MediaFacts
from dataprep.rules.base import CheckedRow, MediaRule


class VideoUnreadable(MediaRule):
    """File that is no readable video.

    ## What it does
    Reports files that neither decord nor PyAV can open, on which they take longer than --media-timeout
    seconds (60) or more than 4 GB of memory, or which crash them (they run in a process of their own).
    ## Why it matters
    Its frames are part of the prompt; without them the row says something else.
    ## Example
    a text file named `a.mp4`
    ## Use instead
    Convert the file (ffmpeg -i in.avi out.mp4), or leave the row out.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "video-unreadable"
    reasons = None
    kinds = ("video",)
    help = "play the file; convert it with ffmpeg or leave the row out"

    def help_for(self, row: CheckedRow, facts: MediaFacts) -> str | None:
        """Return the next step, which may be to wait longer."""
        is_late = facts.error is not None and facts.error.reason == "timeout"
        return "raise --media-timeout, or convert the video with ffmpeg" if is_late else self.help
