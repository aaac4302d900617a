"""Flag files from which no frame can be read. Cost: opening the container."""

from __future__ import annotations

from dataprep.rules.base import MediaRule


class VideoUnreadable(MediaRule):
    """File that is no readable video.

    ## What it does
    Reports files that neither decord nor PyAV can open, on which they take longer than 60 seconds, or which
    crash them (they run in a process of their own).
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
