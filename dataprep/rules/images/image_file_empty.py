"""Flag image files of zero bytes. Cost: one stat per reference."""

from __future__ import annotations

from dataprep.rules.base import MediaRule


class ImageFileEmpty(MediaRule):
    """Image file of zero bytes.

    ## What it does
    Reports image and video files without any content.
    ## Why it matters
    They are what an interrupted download leaves behind.
    ## Example
    an `a.jpg` of 0 bytes
    ## Use instead
    Download the file again.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "image-file-empty"
    reasons = ("empty",)
    kinds = ("image", "video")
    help = "download the file again"
