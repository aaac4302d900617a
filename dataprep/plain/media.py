"""Which images are plain: those that no rule has anything to say about, whatever row they stand in."""

from __future__ import annotations

from dataprep.media.index import MediaFacts
from dataprep.plain.checks import Size

_ENDINGS = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "WEBP": (".webp",), "BMP": (".bmp",)}
_MODES = ("RGB", "L")


def plain_size(facts: MediaFacts, *, most_aspect: float) -> Size | None:
    """Return width and height in pixels of an image that is plain; None if the rules must look at it.

    Args:
        facts: What is known of the image.
        most_aspect: Ratio of its sides up to which it fits a grid of tiles.
    """
    header, file = facts.header, facts.file
    if facts.error is not None or header is None or file is None or header.orientation != 1:
        return None
    if header.mode not in _MODES or header.bits != 8 or header.has_alpha or header.frames != 1:
        return None
    if not file.endswith(_ENDINGS.get(header.format, ())):
        return None
    width, height = header.width, header.height
    return (width, height) if width <= most_aspect * height and height <= most_aspect * width else None
