"""Read the orientation out of an EXIF block or an XMP packet, as Pillow would.

The ordinary block (a TIFF header, then one directory whose orientation is a single SHORT, LONG or BYTE) is parsed
here in a few microseconds; whatever is odd is handed to Pillow, so that both always agree. No other tag is read.

Source: TIFF 6.0, section 2 (image file directory); the order of EXIF before XMP is that of ``Image.getexif``.
"""

from __future__ import annotations

import re
import struct

from dataprep.media.pillow import PILLOW_ERRORS, quiet

ORIENTATION_TAG = 0x0112
# Values that stand for "the block is there, but it is broken": no valid orientation, and XMP is not asked.
BROKEN = 0

_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_EXIF_PREFIX = b"Exif\x00\x00"
# Bytes per value of each TIFF field type.
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_INTEGER_CODES = {1: "B", 3: "H", 4: "L"}


def normalise_orientation(exif: int | None, xmp: bytes | None = None) -> int:
    """Return the orientation 1..8 to use; 1 where there is none, or one that means nothing.

    Args:
        exif: What ``orientation_from_exif`` gave; None without an EXIF block.
        xmp: The XMP packet, asked only where EXIF has no such tag.
    """
    if exif is None and xmp:
        match = _XMP_ORIENTATION.search(xmp)
        exif = int(match[1]) if match else None
    return exif if exif is not None and 1 <= exif <= 8 else 1


def orientation_from_exif(block: bytes) -> int | None:
    r"""Return the orientation tag of an EXIF block, None without one, ``BROKEN`` if it cannot be read.

    Args:
        block: The whole block, with or without the leading ``Exif\0\0``.
    """
    tiff = block
    while tiff.startswith(_EXIF_PREFIX) and len(block) - len(tiff) < 12:
        tiff = tiff[6:]
    if not tiff:
        return None
    found, value = _scan_directory(tiff)
    return value if found else _ask_pillow(block)


def _scan_directory(tiff: bytes) -> tuple[bool, int | None]:
    """Return (True, value or None) for an ordinary directory, (False, None) for one that Pillow must judge."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return False, None
    (start,) = struct.unpack_from(order + "L", tiff, 4)
    if start + 2 > len(tiff):
        return False, None
    (count,) = struct.unpack_from(order + "H", tiff, start)
    entry = struct.Struct(order + "HHL4s")
    if start + 2 + entry.size * count > len(tiff):
        return False, None
    payload_bytes = 0
    for position in range(start + 2, start + 2 + entry.size * count, entry.size):
        tag, kind, values, data = entry.unpack_from(tiff, position)
        if tag == ORIENTATION_TAG:
            if values != 1 or kind not in _INTEGER_CODES:
                return False, None
            return True, int(struct.unpack_from(order + _INTEGER_CODES[kind], data)[0])
        size = _TYPE_BYTES.get(kind, 0) * values
        if size > 4:
            # A value outside the block makes Pillow stop reading there, or skip it: let Pillow decide.
            payload_bytes += size
            (offset,) = struct.unpack(order + "L", data)
            if offset + size > len(tiff) or payload_bytes > len(tiff):
                return False, None
    return True, None


def _ask_pillow(block: bytes) -> int | None:
    from PIL import Image

    exif = Image.Exif()
    try:
        with quiet():
            exif.load(block)
            value = exif.get(ORIENTATION_TAG)
    except PILLOW_ERRORS:
        return BROKEN
    if value is None:
        return None
    return next((number for number in range(1, 9) if value == number), BROKEN)
