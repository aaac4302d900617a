"""Flag videos without frames. Cost: none beyond the probe."""

from __future__ import annotations

from dataprep.rules.base import MediaRule


class VideoWithoutFrames(MediaRule):
    """Video without frames.

    ## What it does
    Reports videos that have a picture stream, but no frame in it.
    ## Why it matters
    There is nothing to be seen, so the row cannot be encoded.
    ## Example
    a recording that was stopped at once
    ## Use instead
    Record or download it again, or leave the row out.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "video-without-frames"
    reasons = ("no-frames",)
    kinds = ("image", "video")
    help = "download it again or leave the row out"
