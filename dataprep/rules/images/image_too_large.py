"""Flag images with more pixels than are safe to decode. Cost: a header read."""

from __future__ import annotations

from dataprep.rules.base import MediaRule


class ImageTooLarge(MediaRule):
    """Image with more pixels than are safe to decode.

    ## What it does
    Reports images whose header claims more pixels than the limit (178,956,970, as Pillow warns), and
    downloads of more bytes than the limit.
    ## Why it matters
    A few bytes can claim gigabytes of pixels and stop every worker.
    ## Example
    a 44-byte GIF that claims 65535 x 65535
    ## Use instead
    Scale the image down; the model sees at most a few megapixels of it.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "image-too-large"
    reasons = ("too-large",)
    kinds = ("image", "video")
    help = "scale the image down: the model sees at most a few megapixels"
