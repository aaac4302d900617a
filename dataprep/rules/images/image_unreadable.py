"""Flag files that are no image or have a broken header. Cost: a few KB read per image."""

from __future__ import annotations

from dataprep.rules.base import MediaRule


class ImageUnreadable(MediaRule):
    """File that is no readable image.

    ## What it does
    Reports files whose header is that of no image format, is cut off, or says zero width or height;
    also folders and special files.
    ## Why it matters
    Its size is unknown, so is its number of tokens; decoding it will fail in training.
    ## Example
    a web page saved as `photo.jpg`
    ## Use instead
    Download the file again, or leave the row out.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "image-unreadable"
    reasons = None
    help = "open the file in a viewer; download it again or leave the row out"
