"""Parse the headers of JPEG, PNG, GIF, WebP and BMP files from a few kilobytes, without decoding a pixel.

Each parser accepts only what it fully understands and raises ``OddHeader`` otherwise; the caller then asks Pillow, so
that an odd file costs time but never a different answer. Parsers hold the file to what Pillow's own would refuse
(bit depths, checksums of PNG headers, quantisation tables), because a size is of no use if decoding must fail.

Source: ITU-T T.81 annex B (JPEG), PNG third edition section 5, GIF89a, RFC 9649 (WebP), Windows bitmap structures.
"""

from __future__ import annotations

import os
import struct
import zlib

import msgspec

from dataprep.media.exif import normalise_orientation, orientation_from_exif

# One read of this size holds the whole header of most files.
WINDOW_BYTES = 4096

_SEGMENT = struct.Struct(">BBH")
_U32BE = struct.Struct(">L")


class ImageHeader(msgspec.Struct, frozen=True, gc=False):
    """What the header of an image says.

    Attributes:
        format: Pillow's name of the format, in upper case.
        width: Width as stored, in pixels: before any EXIF rotation.
        height: Height as stored, in pixels.
        orientation: EXIF orientation 1..8; 1 where there is none or an invalid one.
        mode: Pillow's mode on opening, such as ``RGB`` or ``CMYK``; None where the header does not tell.
        bits: Bits per channel; None where the header does not tell.
        has_alpha: Whether there is an alpha channel or a transparent colour.
        frames: Number of frames; None where counting them would mean reading the file.
        has_more_frames: Whether a second frame was seen, where frames are not counted.
    """

    format: str
    width: int
    height: int
    orientation: int
    mode: str | None = None
    bits: int | None = None
    has_alpha: bool = False
    frames: int | None = None
    has_more_frames: bool = False

    @property
    def is_cmyk(self) -> bool:
        """Whether the pixels are stored as CMYK."""
        return self.mode == "CMYK"

    @property
    def is_animated(self) -> bool:
        """Whether there is more than one frame."""
        return self.has_more_frames or (self.frames is not None and self.frames > 1)

    @property
    def is_palette(self) -> bool:
        """Whether pixels are numbers of colours in a table, as in every GIF."""
        return self.mode in ("P", "PA") or self.format == "GIF"

    @property
    def is_deep(self) -> bool:
        """Whether a channel has more than eight bits."""
        return self.bits is not None and self.bits > 8

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after turning the image as its orientation says."""
        turned = self.orientation >= 5
        return (self.height, self.width) if turned else (self.width, self.height)


class OddHeader(Exception):
    """A header that these parsers leave to Pillow.

    Attributes:
        reason: The reason to report if Pillow cannot read the file either.
        detail: What was found, in words.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Window:
    """Bytes of an image by position, from memory or from a file descriptor, read in small pieces."""

    __slots__ = ("_base", "_descriptor", "_piece", "size")

    def __init__(self, piece: bytes, size: int, descriptor: int | None = None) -> None:
        self._piece = piece
        self._base = 0
        self._descriptor = descriptor
        self.size = size

    def read(self, offset: int, count: int) -> bytes:
        """Return exactly ``count`` bytes; raises OddHeader where the file ends before."""
        start = offset - self._base
        if start < 0 or start + count > len(self._piece):
            if offset + count > self.size or self._descriptor is None:
                raise OddHeader("truncated-header", f"ends at byte {self.size:,}, inside its header")
            self._piece = os.pread(self._descriptor, max(count, WINDOW_BYTES), offset)
            self._base, start = offset, 0
            if len(self._piece) < count:
                raise OddHeader("truncated-header", f"ends at byte {offset + len(self._piece):,}, inside its header")
        return self._piece[start : start + count]


def parse_header(window: Window) -> ImageHeader | None:
    """Return the header of a file in one of the five formats, None for any other format.

    Raises:
        OddHeader: For a file of these formats that Pillow has to judge.
    """
    head = window.read(0, min(16, window.size))
    if head.startswith(b"\xff\xd8\xff"):
        return _parse_jpeg(window)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _parse_png(window)
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


def _parse_png(window: Window) -> ImageHeader:
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
