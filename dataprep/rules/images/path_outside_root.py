"""Flag media paths that leave the media root. Cost: one path resolution per reference."""

from __future__ import annotations

from dataprep.rules.base import MediaRule


class PathOutsideRoot(MediaRule):
    """Media path that leaves the media root.

    ## What it does
    Reports paths that, symbolic links resolved, do not lie under the media root.
    ## Why it matters
    A data file from elsewhere must not make a run read other files of the machine.
    ## Example
    `{"images": ["../../etc/passwd"]}`
    ## Use instead
    Give --media-root a folder that holds all media.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "path-outside-root"
    reasons = ("outside-root",)
    kinds = ("image", "video")
    help = "give --media-root a folder that holds all media, or pass --allow-outside-root"
