"""What can be known of an image only by decoding it, or by reading all of its bytes.

JPEGs are decoded by libjpeg-turbo in strict mode, large ones at an eighth of their size: it reports scan data that do
not add up, which Pillow and OpenCV fill in with grey in silence. The pixel chunks of PNGs are held against their
checksums. All else, and CMYK, is Pillow's. Only the first frame is looked at, as the model sees no other.

Perceptual hash: the picture in grey at 32x32, its cosine transform, and of the 8x8 lowest frequencies one bit each:
above the median or not. Two encodings or sizes of one picture differ in few of the 64 bits, two pictures in about half.

Source: C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.1 (pHash).
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from dataprep.errors import MediaError
from dataprep.media.ending import says_truncated
from dataprep.media.files import open_regular_file
from dataprep.media.index import MediaFacts
from dataprep.media.pillow import DEFAULT_MAX_PIXELS, PILLOW_ERRORS, check_pixels, open_image, quiet
from dataprep.media.scans import check_scans

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from dataprep.media.cache import MediaCache

MAX_FILE_BYTES = 256 << 20
"""Larger files are hashed in pieces, but not decoded."""
MAX_DECODED_BYTES = 256 << 20
"""Images that take more memory than this once decoded are not decoded."""
_PIECE_BYTES = 1 << 20
_HASH_SIDE = 32
_SMALLEST_CONTRAST = 4.0  # grey levels: below, a picture is of one colour and its bits are noise
_GREY_MODES = ("L", "LA", "I;16", "I", "F", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFacts:
    """What decoding showed.

    Attributes:
        content_hash: Hash of the encoded bytes, 16 bytes; None if they cannot be read.
        perceptual_hash: 64 bits that stay alike when a picture is re-encoded or resized; None if it cannot be decoded,
            is of one colour, or is too large to be decoded here.
        error: Why the pixels cannot be used, or None; reason ``unreadable``, ``truncated-data`` or ``damaged-data``.
    """

    content_hash: bytes | None = None
    perceptual_hash: int | None = None
    error: MediaError | None = None


def read_pixels(facts: MediaFacts) -> PixelFacts:
    """Read and decode the image behind some facts; media that cannot be used have none."""
    if facts.error is not None or facts.header is None:
        return PixelFacts()
    name = facts.shown_source
    try:
        digest, data = (_hash(facts.data), facts.data) if facts.data is not None else _read(facts)
    except OSError as error:
        return PixelFacts(error=MediaError(name, "unreadable", f"cannot be read any more: {error.strerror}"))
    except MediaError as error:
        return PixelFacts(error=MediaError(name, "unreadable", f"cannot be read any more: it {error.detail}"))
    if data is None:
        return PixelFacts(content_hash=digest)
    try:
        picture = decode_grey(data, name=name)
    except MediaError as error:
        return PixelFacts(content_hash=digest, error=error)
    return PixelFacts(content_hash=digest, perceptual_hash=None if picture is None else hash_picture(picture))


class _Stored(msgspec.Struct, array_like=True):
    """Pixel facts in a cache."""

    content_hash: bytes | None
    perceptual_hash: int | None
    failure: tuple[str, str] | None


def recall_pixels(facts: MediaFacts, cache: MediaCache) -> PixelFacts:
    """Return what ``read_pixels`` returns, from a cache where that knows the file."""
    if facts.file is None or facts.error is not None or facts.header is None:
        return read_pixels(facts)

    def find() -> _Stored:
        found = read_pixels(facts)
        if found.content_hash is None:  # not even read: that may be otherwise the next time
            raise found.error or MediaError(facts.shown_source, "unreadable", "cannot be read any more")
        failure = None if found.error is None else (found.error.reason, found.error.detail)
        return _Stored(found.content_hash, found.perceptual_hash, failure)

    try:
        stored = cache.recall("pixels", facts.file, _Stored, find)
    except MediaError as error:
        return PixelFacts(error=error)
    failure = None if stored.failure is None else MediaError(facts.shown_source, *stored.failure)
    return PixelFacts(content_hash=stored.content_hash, perceptual_hash=stored.perceptual_hash, error=failure)


def decode_grey(data: bytes, *, name: str = "image") -> Image.Image | None:
    """Decode an encoded image strictly, to a grey picture of any size.

    Args:
        data: The whole encoded image.
        name: How messages call the image.

    Returns:
        A picture of mode L, possibly smaller than the image; None if it would take more than ``MAX_DECODED_BYTES``.

    Raises:
        MediaError: With the reasons of the probe, or ``truncated-data`` or ``damaged-data`` where pixels are missing.
    """
    check_scans(data, name)
    if data.startswith(b"\xff\xd8\xff"):
        picture = _decode_jpeg(data, name)
        if picture is not None:
            return picture
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        _check_png_pixels(data, name)
    return _decode_with_pillow(data, name)


def hash_picture(picture: Image.Image) -> int | None:
    """Return the perceptual hash of a picture of mode L, 64 bits; None for a picture of one colour."""
    import numpy as np
    from PIL import Image

    small = picture.convert("F").resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float64)
    if pixels.max() - pixels.min() < _SMALLEST_CONTRAST:
        return None
    transform = _cosines()
    frequencies = (transform @ pixels @ transform.T).ravel()
    # The first frequency is the mean, which says nothing of what is to be seen: it stays out of the median.
    bits = frequencies > np.median(frequencies[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def hash_distance(one: int, two: int) -> int:
    """Return in how many of their 64 bits two perceptual hashes differ."""
    return (one ^ two).bit_count()


@cache
def _cosines() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the 8 lowest rows of the 32-point cosine transform, shape (8, 32)."""
    import numpy as np

    row, column = np.arange(8)[:, None], np.arange(_HASH_SIDE)[None, :]
    return np.cos(np.pi * row * (2 * column + 1) / (2 * _HASH_SIDE))


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]


def _read(facts: MediaFacts) -> tuple[bytes, bytes | None]:
    """Return hash and bytes of a file; no bytes for one that is too large."""
    assert facts.file is not None
    descriptor, size = open_regular_file(facts.file)
    with os.fdopen(descriptor, "rb") as file:
        if size <= MAX_FILE_BYTES:
            data = file.read()
            return _hash(data), data
        digest = hashlib.sha256()
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.digest()[:16], None


def _decode_jpeg(data: bytes, name: str) -> Image.Image | None:
    """Return a JPEG at an eighth of its size; None where libjpeg-turbo cannot make it grey."""
    import simplejpeg
    from PIL import Image

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):
        return None  # a layout that Pillow may know
    check_pixels(name, (width, height), DEFAULT_MAX_PIXELS)
    # CMYK has no way to grey there; its data are checked all the same.
    target = "CMYK" if colours in ("CMYK", "YCCK") else "GRAY"
    error: ValueError | None = None
    for candidate in (data, _without_metadata(data)):
        try:
            pixels = simplejpeg.decode_jpeg(candidate, target, min_height=64, min_width=64)
        except ValueError as found:
            error = found
        else:
            return None if target == "CMYK" else Image.fromarray(pixels[..., 0])
    assert error is not None
    if says_truncated(error) and not data.rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise MediaError(name, "truncated-data", f"is cut off ({error})") from error
    raise MediaError(name, "damaged-data", f"has damaged pixel data ({error})") from error


_NEEDED_SEGMENTS = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xEE})


def _without_metadata(data: bytes) -> bytes:
    """Return a JPEG without what its pixels do not need, so that damaged metadata is not taken for damaged pixels."""
    kept, position = [b"\xff\xd8"], 2
    while True:
        position = data.find(b"\xff", position)
        marker = data[position + 1] if 0 <= position < len(data) - 3 else None
        if marker is None:
            return data
        if marker == 0xDA:
            return b"".join([*kept, data[position:]])
        if (marker < 0xE0 and marker not in _NEEDED_SEGMENTS) or marker == 0xFF:
            position += 1  # no segment: part of what is damaged
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _NEEDED_SEGMENTS:
            kept.append(data[position:end])
        position = end


def _check_png_pixels(data: bytes, name: str) -> None:
    """Hold the pixel chunks of a PNG against their checksums, which Pillow does not read."""
    view, position = memoryview(data), 8
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        end = position + 8 + length
        kind = bytes(view[position + 4 : position + 8])
        if end + 4 > len(data):
            return  # cut off: the decoder says so, if pixels are missing
        if kind == b"IDAT" and zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise MediaError(name, "damaged-data", f"has damaged pixel data (wrong checksum at byte {position:,})")
        if kind == b"IEND":
            return
        position = end + 4


def _decode_with_pillow(data: bytes, name: str) -> Image.Image | None:
    image = open_image(data, name)
    bands = 1 if image.mode in _GREY_MODES or image.mode == "P" else 4
    if image.width * image.height * bands > MAX_DECODED_BYTES:
        return None
    try:
        with quiet():  # of damaged metadata Pillow warns while it decodes
            image.load()
            return _to_grey(image)
    except PILLOW_ERRORS as error:
        reason = "truncated-data" if says_truncated(error) else "damaged-data"
        raise MediaError(name, reason, f"has damaged pixel data ({error})") from error


def _to_grey(image: Image.Image) -> Image.Image:
    """Return a small grey version of a decoded image; transparency is dropped, as it is for the model."""
    import numpy as np
    from PIL import Image

    image.info.pop("transparency", None)
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(image, dtype=np.float64)
        top = max(float(values.max()), 1.0)
        return Image.fromarray((values.clip(0, None) * (255 / top)).astype(np.uint8))
    factor = max(min(image.width, image.height) // (4 * _HASH_SIDE), 1)
    if factor > 1 and image.mode not in ("P", "PA", "1"):
        image = image.reduce(factor)  # before the change of mode: less memory
    # By way of RGB: palettes, Lab and CMYK have no direct way to grey.
    return image.convert("RGB").convert("L")
