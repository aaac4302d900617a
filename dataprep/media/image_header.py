"""What the header of an image says, and the bytes that it is read from."""

from __future__ import annotations

import os

import msgspec

# One read of this size holds the whole header of most files.
WINDOW_BYTES = 4096


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
