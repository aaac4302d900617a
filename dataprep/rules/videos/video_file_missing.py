"""Flag videos with no file behind them. Cost: one stat per reference."""

from __future__ import annotations

from dataprep.rules.base import MediaRule


class VideoFileMissing(MediaRule):
    """Video reference with no file behind it.

    ## What it does
    Reports every video path that does not exist under the media root.
    ## Why it matters
    Trainers replace such a row with a random other one, or stop hours into a run.
    ## Example
    `{"videos": ["a.mp4"]}` with no such file
    ## Use instead
    Mend the path, or give --media-root the folder that the paths are relative to.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "video-file-missing"
    reasons = ("missing",)
    kinds = ("video",)
    help = "paths are relative to --media-root, by default the folder of the data file"
