"""Parse the headers of JPEG, PNG, GIF, WebP and BMP files from a few kilobytes, without decoding a pixel.

Each parser accepts only what it fully understands and raises ``OddHeader`` otherwise; the caller then asks Pillow, so
that an odd file costs time but never a different answer. Parsers hold the file to what Pillow's own would refuse
(bit depths, checksums of PNG headers, quantisation tables), because a size is of no use if decoding must fail.

Source: ITU-T T.81 annex B (JPEG), GIF89a, RFC 9649 (WebP), Windows bitmap structures.
"""

from __future__ import annotations

import struct

from dataprep.media.exif import normalise_orientation, orientation_from_exif
from dataprep.media.image_header import WINDOW_BYTES, ImageHeader, OddHeader, Window
from dataprep.media.png import parse_png

_SEGMENT = struct.Struct(">BBH")


def parse_header(window: Window) -> ImageHeader | None:
    """Return the header of a file in one of the five formats, None for any other format.

    Raises:
        OddHeader: For a file of these formats that Pillow has to judge.
    """
    head = window.read(0, min(16, window.size))
    if head.startswith(b"\xff\xd8\xff"):
        return _parse_jpeg(window)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return parse_png(window)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _parse_gif(window)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _parse_webp(window)
    if head.startswith(b"BM"):
        return _parse_bmp(window)
    return None


_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_JPEG_SEGMENTS = _JPEG_FRAMES | {0xC4, 0xCC, 0xDA, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"


def _parse_jpeg(window: Window) -> ImageHeader:
    """Walk the markers up to the first scan: Pillow takes EXIF that stands behind the frame header, too."""
    position = 2
    frame: tuple[int, int, int] | None = None
    exif, xmp = b"", None
    head = window.read(0, min(window.size, WINDOW_BYTES))
    last = len(head) - _SEGMENT.size
    while True:
        # Straight from the first window while that lasts: this loop is most of the cost of a probe.
        inside = position <= last
        segment_head = _SEGMENT.unpack_from(head, position) if inside else _SEGMENT.unpack(window.read(position, 4))
        fill, marker, length = segment_head
        if fill != 0xFF:
            raise OddHeader("unreadable", "has bytes between its JPEG segments")
        if marker == 0xFF:
            position += 1
            continue
        if marker not in _JPEG_SEGMENTS:
            raise OddHeader("unreadable", f"has an unexpected JPEG marker ff {marker:02x} in its header")
        body, count = position + 4, length - 2
        position = body + count
        if count < 0:
            raise OddHeader("unreadable", "has a JPEG segment with an impossible length")
        if position > window.size:
            raise OddHeader("truncated-header", f"ends at byte {window.size:,}, inside its header")
        if marker == 0xDA:
            break
        if marker == 0xE1:
            segment = window.read(body, count)
            if segment.startswith(b"Exif\x00\x00"):
                exif += segment[6:] if exif else segment
            elif segment.startswith(_XMP_PREFIX):
                xmp = segment
        elif marker == 0xE2 and window.read(body, min(count, 4)) == b"MPF\x00":
            raise OddHeader("unreadable", "has a damaged multi-picture index")
        elif marker == 0xDB:
            _check_quantisation(window.read(body, count))
        elif marker in _JPEG_FRAMES:
            frame = _jpeg_frame(window.read(body, count))
    if frame is None:
        raise OddHeader("unreadable", "has no JPEG frame header")
    width, height, layers = frame
    orientation = normalise_orientation(orientation_from_exif(exif) if exif else None, xmp)
    return ImageHeader("JPEG", width, height, orientation, _JPEG_MODES[layers], 8, False, 1)


class JpegLayout:
    """The bytes of a JPEG header but for its size: most images of a data set were written by one program alike."""

    __slots__ = ("_after", "_at", "_before", "_end", "_header")

    def __init__(self, header: ImageHeader, head: bytes, frame: int, end: int) -> None:
        self._header = header
        self._before, self._after = head[: frame + 5], head[frame + 9 : end]
        self._at, self._end = frame + 5, frame + 9

    @classmethod
    def of(cls, header: ImageHeader, head: bytes) -> JpegLayout | None:
        """Return the layout of a JPEG; None if its header ends behind the bytes given, or has no single size.

        Args:
            header: What ``parse_header`` made of it.
            head: Its first bytes.
        """
        position, frames = 2, []
        while position + 4 <= len(head):
            fill, marker, length = _SEGMENT.unpack_from(head, position)
            if fill != 0xFF or marker not in _JPEG_SEGMENTS:
                return None
            if marker in _JPEG_FRAMES:
                frames.append(position)
            position += 2 + length
            if marker == 0xDA:
                is_good = len(frames) == 1 and position <= len(head)
                return cls(header, head, frames[0], position) if is_good else None
        return None

    def match(self, head: bytes) -> ImageHeader | None:
        """Return what ``parse_header`` would make of a file that begins like this; None if it is not of this layout."""
        if not head.startswith(self._before) or not head.startswith(self._after, self._end):
            return None
        height, width = _SIZES.unpack_from(head, self._at)
        like = self._header
        return ImageHeader("JPEG", width, height, like.orientation, like.mode, 8, False, 1)


_SIZES = struct.Struct(">HH")


def _jpeg_frame(segment: bytes) -> tuple[int, int, int]:
    if len(segment) < 6:
        raise OddHeader("unreadable", "has a JPEG frame header that is too short")
    bits, height, width, layers = struct.unpack_from(">BHHB", segment)
    if bits != 8:
        raise OddHeader("unsupported-format", f"is a JPEG with {bits} bits per channel; 8 are supported")
    if layers not in _JPEG_MODES or len(segment) != 6 + 3 * layers:
        raise OddHeader("unreadable", f"has a damaged JPEG frame header ({layers} channels)")
    return width, height, layers


def _check_quantisation(tables: bytes) -> None:
    position = 0
    while position < len(tables):
        position += 65 if tables[position] < 16 else 129
    if position != len(tables):
        raise OddHeader("unreadable", "has a damaged JPEG quantisation table")


def _parse_gif(window: Window) -> ImageHeader:
    """Find the first image: Pillow widens the canvas where that reaches beyond it."""
    width, height, flags = struct.unpack("<HHB", window.read(6, 5))
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    has_alpha = False
    while True:
        kind = window.read(position, 1)
        if kind == b",":
            break
        if kind == b";":
            raise OddHeader("unreadable", "is a GIF without any image")
        if kind != b"!":
            position += 1  # Pillow skips such bytes.
            continue
        if window.read(position + 1, 1) == b"\xf9" and window.read(position + 2, 1) == b"\x04":
            has_alpha = has_alpha or bool(window.read(position + 3, 1)[0] & 1)
        position += 2
        while size := window.read(position, 1)[0]:
            position += 1 + size
        position += 1
    left, top, frame_width, frame_height, frame_flags = struct.unpack("<HHHHB", window.read(position + 1, 9))
    window.read(position + 10 + (3 << (frame_flags & 7) + 1 if frame_flags & 0x80 else 0), 1)
    width, height = max(width, left + frame_width), max(height, top + frame_height)
    position += 11 + (3 << (frame_flags & 7) + 1 if frame_flags & 0x80 else 0)
    return ImageHeader("GIF", width, height, 1, None, 8, has_alpha, None, _has_second_gif_frame(window, position))


def _has_second_gif_frame(window: Window, position: int) -> bool:
    """Hop over the pixels of the first frame, whose data begin at ``position``, and look for another image."""
    try:
        while True:
            while size := window.read(position, 1)[0]:
                position += 1 + size
            kind = window.read(position + 1, 1)
            if kind != b"!":
                return kind == b","
            position += 3
    except OddHeader:  # The file ends here: decoding judges what is missing.
        return False


def _parse_webp(window: Window) -> ImageHeader:
    """Read the first chunk, and in the extended layout walk the rest for frames, EXIF and XMP."""
    head = window.read(0, 30)
    (riff_bytes,) = struct.unpack_from("<L", head, 4)
    if riff_bytes + 8 > window.size:
        raise OddHeader("truncated-header", f"is cut off: {window.size:,} of {riff_bytes + 8:,} bytes are there")
    name = head[12:16]
    if name == b"VP8X":
        return _parse_webp_extended(window, head, min(window.size, riff_bytes + 8))
    (size,) = struct.unpack_from("<L", head, 16)
    if riff_bytes < size + 12 or riff_bytes & 1:
        raise OddHeader("unreadable", "has a WebP chunk that is longer than the file")
    width, height, has_alpha = _webp_frame(name, size, head[20:30])
    return ImageHeader("WEBP", width, height, 1, "RGBA" if has_alpha else "RGB", 8, has_alpha, 1)


def _webp_frame(name: bytes, size: int, data: bytes) -> tuple[int, int, bool]:
    """Return width, height and alpha of a bitstream of ``size`` bytes from its first ten."""
    tag = int.from_bytes(data[:3], "little")
    # A key frame (bit 0 clear) of profile 0 to 3 that is shown, with its first partition inside the chunk.
    is_shown_key_frame = tag & 0x19 == 0x10 and tag >> 5 < size
    if name == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and is_shown_key_frame:
        width, height = struct.unpack_from("<HH", data, 6)
        return width & 0x3FFF, height & 0x3FFF, False
    if name == b"VP8L" and data[0] == 0x2F and data[4] < 0x20:
        (packed,) = struct.unpack_from("<L", data, 1)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1, bool(packed >> 28 & 1)
    raise OddHeader("unreadable", f"has a damaged WebP bitstream {name!r}")


def _parse_webp_extended(window: Window, head: bytes, end: int) -> ImageHeader:
    flags = head[20]
    width = 1 + int.from_bytes(head[24:27], "little")
    height = 1 + int.from_bytes(head[27:30], "little")
    frames, exif, xmp, position = 0, None, None, 30
    while position + 8 <= end:
        name, size = struct.unpack("<4sL", window.read(position, 8))
        if position + 8 + size > end:
            raise OddHeader("truncated-header", f"is cut off in its chunk {name!r}")
        if name == b"ANMF":
            frames += 1
        elif name in (b"VP8 ", b"VP8L"):
            if _webp_frame(name, size, window.read(position + 8, 10))[:2] != (width, height):
                raise OddHeader("unreadable", "has a WebP canvas of another size than its image")
            frames += 1
        elif name == b"EXIF" and flags & 0x08 and exif is None:
            exif = window.read(position + 8, size)
        elif name == b"XMP " and flags & 0x04 and xmp is None:
            xmp = window.read(position + 8, size)
        position += 8 + size + (size & 1)
    if frames == 0 or (frames > 1) != bool(flags & 0x02):
        raise OddHeader("unreadable", f"has {frames} frames and WebP flags {flags:#04x}")
    has_alpha = bool(flags & 0x10)
    orientation = normalise_orientation(None if exif is None else orientation_from_exif(exif), xmp)
    return ImageHeader("WEBP", width, height, orientation, "RGBA" if has_alpha else "RGB", 8, has_alpha, frames)


_BMP_DEPTHS = frozenset({1, 4, 8, 16, 24, 32})


def _parse_bmp(window: Window) -> ImageHeader:
    """Accept uncompressed bitmaps with one of the Windows headers, the rest is Pillow's."""
    (header_bytes,) = struct.unpack("<L", window.read(14, 4))
    if header_bytes not in (40, 52, 56, 108, 124):
        raise OddHeader("unsupported-format", f"is a bitmap with a header of {header_bytes} bytes")
    data = window.read(18, header_bytes - 4)
    width, height, _, bits, compression = struct.unpack_from("<LLHHL", data)
    (colours,) = struct.unpack_from("<L", data, 28)
    if compression != 0 or bits not in _BMP_DEPTHS or colours > 65536:
        raise OddHeader("unsupported-format", f"is a bitmap with {bits} bits and compression {compression}")
    if data[7] == 0xFF:  # A negative height: rows from top to bottom.
        height = 2**32 - height
    return ImageHeader("BMP", width, height, 1, "RGB" if bits > 8 else None, min(bits, 8), False, 1)
