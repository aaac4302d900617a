"""Make and damage media bytes. Everything is made from a clean file, so that only the damage is new."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image as bytes of a format."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def open_rgb(data: bytes) -> Image.Image:
    """Decode to RGB."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def as_jpeg(data: bytes, *, quality: int = 90) -> bytes:
    """Return the picture as an ordinary baseline JPEG."""
    return encode(open_rgb(data), "JPEG", quality=quality)


def as_png(data: bytes) -> bytes:
    """Return the picture as an ordinary PNG."""
    return encode(open_rgb(data), "PNG")


def scan_start(jpeg: bytes) -> int:
    """Return where the entropy-coded data of a baseline JPEG begin."""
    marker = jpeg.index(b"\xff\xda")
    return marker + 2 + struct.unpack_from(">H", jpeg, marker + 2)[0]


def overwrite_scan(jpeg: bytes, filler: bytes, *, start: float, share: float) -> bytes:
    """Overwrite a part of the entropy-coded data.

    Args:
        jpeg: A baseline JPEG.
        filler: What to write, repeated.
        start: Where the part begins, as a share of the data.
        share: How long it is, as a share of the data.
    """
    first = scan_start(jpeg)
    length = len(jpeg) - 2 - first
    begin, count = first + int(length * start), max(16, int(length * share))
    return jpeg[:begin] + (filler * count)[:count] + jpeg[begin + count :]


def with_orientation(data: bytes, orientation: int) -> bytes:
    """Return the picture as a JPEG with an EXIF orientation; the stored pixels stay as they are."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(open_rgb(data), "JPEG", quality=90, exif=exif)


def png_bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes whose header claims a huge picture."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))

    head = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def write_video(path: str, *, times: list[int], size: tuple[int, int] = (64, 48), rate: int = 25) -> None:
    """Write an MPEG-4 file.

    Args:
        path: Where to.
        times: One presentation time per frame, in units of 1/``rate`` seconds.
        size: Width and height in pixels.
        rate: Units of time per second.
    """
    from fractions import Fraction

    import av
    import numpy as np

    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, time in enumerate(times):
            pixels = np.full((size[1], size[0], 3), (number * 37) % 256, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, rate)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def read_frames(path: str, *, most: int) -> list[Image.Image]:
    """Return the first frames of a video."""
    import av

    frames: list[Image.Image] = []
    with av.open(path) as container:
        for frame in container.decode(video=0):
            frames.append(frame.to_image())
            if len(frames) == most:
                break
    return frames
