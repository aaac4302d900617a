"""Open images with Pillow without its warnings, and with its errors turned into MediaError.

Pillow reports trouble in a dozen exception types and by warnings; callers here see one error with a reason. Warning
filters and Pillow's pixel limit are global state, so they are changed under a lock and only while a header is parsed;
decoding happens outside the lock.
"""

from __future__ import annotations

import io
import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from dataprep.errors import MediaError
from dataprep.media.files import describe_foreign_bytes

if TYPE_CHECKING:
    from PIL import Image  # loaded with the first image that needs it

# Pillow refuses an image above twice its warning level of 89,478,485 pixels; we draw the same line.
DEFAULT_MAX_PIXELS = 178_956_970

# What Pillow's parsers and decoders raise for damaged files, seen or read in its sources.
PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    struct.error,
    zlib.error,
)

# Without any handler, Python would print what Pillow logs of broken files.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_GLOBAL_STATE = threading.RLock()


@contextmanager
def quiet(max_pixels: int = DEFAULT_MAX_PIXELS) -> Iterator[None]:
    """Silence warnings and set Pillow's pixel limit for the time of the block, for one thread at a time."""
    from PIL import Image

    with _GLOBAL_STATE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = max(1, (max_pixels + 1) // 2)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def open_image(source: bytes | BinaryIO, name: str, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image.Image:
    """Open an image lazily: the header is parsed, no pixel is decoded.

    Args:
        source: The encoded image, or an open binary file that stays open as long as the image is used.
        name: How messages call the image.
        max_pixels: Most pixels (width times height) that an image may have.

    Raises:
        MediaError: With reason ``empty``, ``too-large``, ``truncated-header``, ``lfs-pointer``,
            ``unsupported-format``, ``not-an-image`` or ``unreadable``.
    """
    from PIL import Image, UnidentifiedImageError

    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with quiet(max_pixels):
            image = Image.open(file)
    except Image.DecompressionBombError as error:
        raise MediaError(name, "too-large", f"has more than {max_pixels:,} pixels") from error
    except UnidentifiedImageError as error:
        file.seek(0)
        raise MediaError(name, *_describe(file.read(64))) from error
    except PILLOW_ERRORS as error:
        reason = "truncated-header" if "truncated" in str(error).lower() else "unreadable"
        raise MediaError(name, reason, f"has a damaged header: {error}") from error
    check_pixels(name, image.size, max_pixels)
    return image


def check_pixels(name: str, size: tuple[int, int], max_pixels: int) -> None:
    """Raise MediaError for an image without pixels, or with too many."""
    width, height = size
    if width < 1 or height < 1:
        raise MediaError(name, "zero-size", f"says that it is {width}x{height} pixels")
    if width * height > max_pixels:
        detail = f"is {width}x{height} = {width * height:,} pixels; the limit is {max_pixels:,}"
        raise MediaError(name, "too-large", detail)


def _describe(head: bytes) -> tuple[str, str]:
    if not head:
        return "empty", "is empty (0 bytes)"
    return describe_foreign_bytes(head)
