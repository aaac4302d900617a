"""Parse the header of a PNG: the chunks before its pixels, held to what Pillow would refuse, and EXIF behind them.

Source: PNG third edition, section 5.
"""

from __future__ import annotations

import struct
import zlib

from dataprep.media.exif import normalise_orientation, orientation_from_exif
from dataprep.media.image_header import ImageHeader, OddHeader, Window

_U32BE = struct.Struct(">L")
_PNG_MODES = {
    (1, 0): "1", (2, 0): "L", (4, 0): "L", (8, 0): "L", (16, 0): "I;16", (8, 2): "RGB", (16, 2): "RGB",
    (1, 3): "P", (2, 3): "P", (4, 3): "P", (8, 3): "P", (8, 4): "LA", (16, 4): "RGBA", (8, 6): "RGBA", (16, 6): "RGBA",
}  # fmt: skip
# Chunks that Pillow reads, with the length below which it refuses the file.
_PNG_MIN_BYTES = {b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"pHYs": 9}
# Compressed texts and animations have many ways to be wrong, and EXIF as text is a relic: Pillow judges those.
_PNG_ODD = frozenset({b"zTXt", b"acTL", b"fcTL", b"fdAT", b"IHDR"})
_PNG_ODD_KEYS = (b"Raw profile type exif\x00", b"exif\x00")
_PNG_TEXT_LIMIT_BYTES = 1 << 20


def parse_png(window: Window) -> ImageHeader:
    """Check the chunks before the pixels, then hop over the pixels: EXIF may stand at the very end."""
    if window.read(8, 8) != b"\x00\x00\x00\rIHDR":
        raise OddHeader("unreadable", "does not begin with a PNG header chunk")
    width, height, bits, colour, _, filtering, _ = struct.unpack(">LLBBBBB", window.read(16, 13))
    mode = _PNG_MODES.get((bits, colour))
    if mode is None or filtering != 0:
        raise OddHeader("unsupported-format", f"is a PNG with {bits} bits and colour type {colour}")
    _check_png_checksum(window, 8, 13)
    has_alpha, position = colour >= 4, 33
    exif: bytes | None = None
    xmp: bytes | None = None
    while True:
        length, name = struct.unpack(">L4s", window.read(position, 8))
        if name == b"IDAT":
            break
        has_alpha = has_alpha or name == b"tRNS"
        data = _read_png_chunk(window, position, length, name, mode)
        if name == b"eXIf":
            exif = data
        xmp = _png_xmp(name, data) or xmp
        position += length + 12
    if exif is None:
        exif, xmp = _scan_png_tail(window, position, xmp)
    orientation = normalise_orientation(None if exif is None else orientation_from_exif(exif), xmp)
    return ImageHeader("PNG", width, height, orientation, mode, bits, has_alpha, 1)


def _scan_png_tail(window: Window, position: int, xmp: bytes | None) -> tuple[bytes | None, bytes | None]:
    """Return the EXIF block and XMP packet that stand behind the pixels; decoding judges what is missing there."""
    exif: bytes | None = None
    while position + 8 <= window.size:
        length, name = struct.unpack(">L4s", window.read(position, 8))
        end = position + 8 + length
        if name == b"IEND" or not name.isalnum() or end > window.size:
            break
        if name == b"eXIf":
            exif = window.read(position + 8, length)
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            xmp = _png_xmp(name, window.read(position + 8, length)) or xmp
        position = end + 4
    return exif, xmp


def _read_png_chunk(window: Window, position: int, length: int, name: bytes, mode: str) -> bytes:
    """Return the data of a chunk before the pixels, after the checks that Pillow makes there."""
    if name in _PNG_ODD or not name.isalnum() or length > _PNG_TEXT_LIMIT_BYTES:
        raise OddHeader("unreadable", f"has a damaged PNG chunk {name!r} before its pixels")
    _check_png_checksum(window, position, length)
    data = window.read(position + 8, length)
    minimum = {"P": 0, "RGB": 6}.get(mode, 2) if name == b"tRNS" else _PNG_MIN_BYTES.get(name, 0)
    if length < minimum:
        raise OddHeader("unreadable", f"has a PNG chunk {name!r} that is too short")
    if name == b"iCCP":
        _check_png_profile(data)
    return data


def _check_png_checksum(window: Window, position: int, length: int) -> None:
    covered = window.read(position + 4, length + 8)
    if zlib.crc32(covered[:-4]) != _U32BE.unpack(covered[-4:])[0]:
        raise OddHeader("unreadable", f"has a wrong checksum in its PNG chunk {covered[:4]!r}")


def _check_png_profile(data: bytes) -> None:
    _, found, rest = data.partition(b"\x00")
    decompressor = zlib.decompressobj()
    try:
        decompressor.decompress(rest[1:], _PNG_TEXT_LIMIT_BYTES)
    except zlib.error:
        return  # Pillow goes on without a profile.
    if not found or rest[:1] != b"\x00" or decompressor.unconsumed_tail:
        raise OddHeader("unreadable", "has a damaged colour profile")


def _png_xmp(name: bytes, data: bytes) -> bytes | None:
    if name not in (b"tEXt", b"zTXt", b"iTXt"):
        return None
    if data.startswith(_PNG_ODD_KEYS):
        raise OddHeader("unreadable", "has EXIF data as text that cannot be read")
    if name != b"iTXt":
        return None
    key, _, rest = data.partition(b"\x00")
    if rest[:1] != b"\x00":
        raise OddHeader("unreadable", "has a compressed text before its pixels that cannot be read")
    return rest if key == b"XML:com.adobe.xmp" else None
