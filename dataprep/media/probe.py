"""Read the size, orientation and kind of an image from its header.

Data flow: path or bytes -> the five common formats by our own parsers -> Pillow's opener for every other format and for
whatever those parsers find odd. Answers agree with ``PIL.Image.open`` (size) and ``getexif`` (orientation); a file that
Pillow cannot open is a MediaError, never a crash. No pixel is decoded, but for the EXIF of an odd PNG, which Pillow
finds only by reading to the end. Cost: one open, one read of 4 KB and about 10 us of parsing per image.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dataprep.errors import MediaError
from dataprep.media.ending import END_BYTES, check_all_pixels_are_there, has_usual_end
from dataprep.media.exif import ORIENTATION_TAG, normalise_orientation
from dataprep.media.files import LFS_POINTER_MAGIC, describe_foreign_bytes, open_regular_file
from dataprep.media.headers import parse_header
from dataprep.media.image_header import WINDOW_BYTES, ImageHeader, OddHeader, Window
from dataprep.media.pillow import DEFAULT_MAX_PIXELS, PILLOW_ERRORS, check_pixels, open_image, quiet

if TYPE_CHECKING:
    from PIL import Image

# Formats whose frames Pillow counts while it opens the file.
_COUNTED_FORMATS = frozenset({"MPO", "PNG", "WEBP", "AVIF"})


def probe_image_file(
    path: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS, checks_end: bool = False
) -> ImageHeader:
    """Read the header of an image file.

    Args:
        path: A regular file; links are followed.
        max_pixels: Most pixels (width times height) that an image may have.
        checks_end: Whether to look at the end, too, for pixels that are missing there.

    Raises:
        MediaError: With reason ``missing``, ``is-directory``, ``not-a-regular-file``, ``empty``, ``lfs-pointer``,
            ``not-an-image``, ``unsupported-format``, ``truncated-header``, ``truncated-data``, ``unreadable``,
            ``zero-size`` or ``too-large``.
    """
    name = str(path)
    descriptor, size = open_regular_file(path)
    try:
        window = Window(os.pread(descriptor, WINDOW_BYTES, 0), size, descriptor)
        try:
            header = parse_header(window)
        except OddHeader as odd:
            header = _probe_odd_file(name, descriptor, odd, max_pixels)
        if header is None:
            header = _probe_odd_file(name, descriptor, None, max_pixels)
        check_pixels(name, (header.width, header.height), max_pixels)
        if checks_end and not has_usual_end(os.pread(descriptor, END_BYTES, max(size - END_BYTES, 0)), header.format):
            with os.fdopen(os.dup(descriptor), "rb") as file:
                file.seek(0)
                check_all_pixels_are_there(file, name, max_pixels=max_pixels)
    except OSError as error:
        raise MediaError(name, "unreadable", f"cannot be read: {error}") from error
    finally:
        os.close(descriptor)
    return header


def probe_image_bytes(
    data: bytes, *, name: str = "image", max_pixels: int = DEFAULT_MAX_PIXELS, checks_end: bool = False
) -> ImageHeader:
    """Read the header of an encoded image in memory.

    Args:
        data: The whole encoded image.
        name: How messages call the image.
        max_pixels: Most pixels (width times height) that an image may have.
        checks_end: Whether to look at the end, too, for pixels that are missing there.

    Raises:
        MediaError: With the reasons of ``probe_image_file`` that apply to bytes.
    """
    if not data:
        raise MediaError(name, "empty", "is empty (0 bytes)")
    header: ImageHeader | None = None
    odd: OddHeader | None = None
    try:
        header = parse_header(Window(data, len(data)))
    except OddHeader as found:
        odd = found
    if header is None:
        header = _probe_with_pillow(name, io.BytesIO(data), odd, max_pixels)
    check_pixels(name, (header.width, header.height), max_pixels)
    if checks_end and not has_usual_end(data[-END_BYTES:], header.format):
        check_all_pixels_are_there(io.BytesIO(data), name, max_pixels=max_pixels)
    return header


def _probe_odd_file(name: str, descriptor: int, odd: OddHeader | None, max_pixels: int) -> ImageHeader:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return _probe_with_pillow(name, file, odd, max_pixels)


def _probe_with_pillow(name: str, file: BinaryIO, odd: OddHeader | None, max_pixels: int) -> ImageHeader:
    """Ask Pillow; where it fails too, the reason that our parser found is the clearer one."""
    head = file.read(64)
    if head.startswith(LFS_POINTER_MAGIC):
        raise MediaError(name, *describe_foreign_bytes(head))
    try:
        image = open_image(file, name, max_pixels=max_pixels)
    except MediaError as error:
        if odd is not None and error.reason in ("not-an-image", "unreadable"):
            raise MediaError(name, odd.reason, odd.detail) from error
        raise
    frames = getattr(image, "n_frames", None) if image.format in _COUNTED_FORMATS else None
    has_alpha = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    is_deep = image.mode.startswith("I;16") or (head[:4] == b"\x89PNG" and head[24:25] == b"\x10")
    return ImageHeader(
        format=(image.format or "unknown").upper(),
        width=image.width,
        height=image.height,
        orientation=_pillow_orientation(image, max_pixels),
        mode=image.mode,
        bits=16 if is_deep else None,
        has_alpha=has_alpha,
        frames=frames,
    )


def _pillow_orientation(image: Image.Image, max_pixels: int) -> int:
    try:
        with quiet(max_pixels):
            value = image.getexif().get(ORIENTATION_TAG)
    except PILLOW_ERRORS:
        return 1
    return normalise_orientation(next((number for number in range(1, 9) if value == number), None))
