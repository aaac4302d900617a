"""Find JPEGs that would take minutes to decode: a progressive one may ask for a pass over all its pixels per scan.

A scan may be a dozen bytes, so a file of a few hundred kilobytes can keep a decoder busy for hours, in C code that
nothing interrupts. Programs write about ten scans.
"""

from __future__ import annotations

import re

from dataprep.errors import MediaError

MOST_SCANS = 100
MOST_BYTES = 64 << 20
"""Bytes that are looked at: more than real JPEGs have."""
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # neither a stuffed byte, nor a restart, nor filling
_SCAN, _END = 0xDA, 0xD9
_WITHOUT_LENGTH = (0x01, 0xD8, _END)


def check_scans(data: bytes, name: str) -> None:
    """Raise MediaError ``damaged-data`` for a JPEG of more than :data:`MOST_SCANS` scans; other files pass.

    Args:
        data: The encoded image, or its beginning.
        name: How messages call the image.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return
    scans, match = 0, _MARKER.search(data, 2)
    while match is not None and data[match.end() - 1] != _END:
        marker, position = data[match.end() - 1], match.end()
        scans += marker == _SCAN
        if scans > MOST_SCANS:
            detail = f"has more than {MOST_SCANS} scans, which would take minutes to decode; save it anew"
            raise MediaError(name, "damaged-data", detail)
        if marker not in _WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], "big")
        match = _MARKER.search(data, position)
