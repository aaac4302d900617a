"""Find images whose end is missing: what an interrupted download or copy leaves behind.

A header is there, so a header probe is content, but decoding such a file ends the run. Files that end as their format
wants it are taken as whole after a look at a dozen bytes; only the others (cut off, or with something behind the
picture) are decoded to be sure, JPEGs at an eighth of their size.
"""

from __future__ import annotations

from typing import BinaryIO

from dataprep.errors import MediaError
from dataprep.media.pillow import PILLOW_ERRORS, open_image, quiet
from dataprep.media.scans import MOST_BYTES, check_scans

END_BYTES = 12
_ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"\x00\x00\x00\x00IEND\xaeB`\x82", "GIF": b";"}
# What Pillow says of data that stop too early, as opposed to data that are wrong.
_SIGNS = ("truncated", "unexpected end", "end of file", "premature end of jpeg")


def has_usual_end(end: bytes, image_format: str) -> bool:
    """Whether the last bytes of a file are how its format ends; True for formats without such bytes."""
    return end.endswith(_ENDINGS.get(image_format, b""))


def check_all_pixels_are_there(file: BinaryIO, name: str, *, max_pixels: int) -> None:
    """Decode an image to see whether its data end too early; other damage is not looked for.

    Args:
        file: The encoded image, from its beginning.
        name: How messages call the image.
        max_pixels: Most pixels (width times height) that an image may have.

    Raises:
        MediaError: With reason ``truncated-data``, or ``damaged-data`` for one that takes minutes to decode.
    """
    check_scans(file.read(MOST_BYTES), name)
    file.seek(0)
    image = open_image(file, name, max_pixels=max_pixels)
    image.draft(image.mode, (1, 1))
    try:
        with quiet(max_pixels):
            image.load()
    except PILLOW_ERRORS as error:
        if says_truncated(error):
            size = file.seek(0, 2)
            detail = f"is cut off: its {size:,} bytes end before its pixels do"
            raise MediaError(name, "truncated-data", detail) from error


def says_truncated(error: BaseException) -> bool:
    """Whether an error of a decoder says that data are missing at the end."""
    text = str(error).lower()
    return isinstance(error, EOFError) or any(sign in text for sign in _SIGNS)
