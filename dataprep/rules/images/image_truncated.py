"""Flag images whose end is missing. Cost: a look at the last bytes."""

from __future__ import annotations

from dataprep.rules.base import MediaRule


class ImageTruncated(MediaRule):
    """Image whose end is missing.

    ## What it does
    Reports images that end inside their header or before their pixels do. The end of a file is
    looked at; only where it is not as usual, the image is decoded.
    ## Why it matters
    It is what an interrupted download or copy leaves behind. Decoding it ends a run, or fills the
    rest with grey.
    ## Example
    the first 40 KB of a 90 KB photo
    ## Use instead
    Download or copy the file again.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "image-truncated"
    reasons = ("truncated-header", "truncated-data")
    kinds = ("image", "video")
    help = "download or copy the file again"
