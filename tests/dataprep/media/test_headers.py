"""The parsers themselves: what they accept, what they leave to Pillow, and how few bytes they read."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from dataprep.media.headers import parse_header
from dataprep.media.image_header import WINDOW_BYTES, ImageHeader, OddHeader, Window


def encoded(kind: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (30, 20)).save(buffer, format=kind)
    return buffer.getvalue()


def parse(data: bytes) -> ImageHeader | None:
    return parse_header(Window(data, len(data)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_ordinary_files_need_no_pillow(kind: str) -> None:
    header = parse(encoded(kind))
    assert header is not None
    assert (header.format, header.width, header.height, header.orientation) == (kind, 30, 20, 1)


def test_other_formats_are_not_known_here() -> None:
    assert parse(encoded("TIFF")) is None
    assert parse(b"x") is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_cut_files_are_odd(kind: str) -> None:
    with pytest.raises(OddHeader) as caught:
        parse(encoded(kind)[:18])
    assert caught.value.reason == "truncated-header"


def test_top_down_bitmaps_have_a_positive_height() -> None:
    data = bytearray(encoded("BMP"))
    data[22:26] = (-20).to_bytes(4, "little", signed=True)
    header = parse(bytes(data))
    assert header is not None
    assert header.height == 20


def test_lossless_webp_tells_its_alpha() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (30, 20), (1, 2, 3, 4)).save(buffer, format="WEBP", lossless=True)
    header = parse(buffer.getvalue())
    assert header is not None
    assert header.has_alpha


def test_upright_size() -> None:
    assert ImageHeader("JPEG", 30, 20, 6).upright_size == (20, 30)
    assert ImageHeader("JPEG", 30, 20, 3).upright_size == (30, 20)


def test_a_window_reads_on_from_the_file(tmp_path: Path) -> None:
    data = bytes(range(256)) * 100
    path = tmp_path / "data"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        window = Window(data[:10], len(data), descriptor)
        assert window.read(4, 4) == data[4:8]
        assert window.read(20_000, 8) == data[20_000:20_008]
        assert window.read(20_008, 8) == data[20_008:20_016]
        assert window.read(0, WINDOW_BYTES + 5) == data[: WINDOW_BYTES + 5]
        with pytest.raises(OddHeader):
            window.read(len(data) - 4, 5)
    finally:
        os.close(descriptor)


def gif(frames: int) -> bytes:
    images = [Image.new("P", (12, 8), number) for number in range(frames)]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], optimize=False)
    return buffer.getvalue()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_second_gif_frame_is_seen_without_counting(frames: int) -> None:
    data = gif(frames)
    header = parse_header(Window(data, len(data)))
    assert header is not None
    assert (header.frames, header.has_more_frames, header.is_animated) == (None, frames > 1, frames > 1)
    cut = data[:-4]
    header = parse_header(Window(cut, len(cut)))
    assert header is not None


def test_colour_facts_come_from_the_header() -> None:
    header = ImageHeader("PNG", 1, 1, 1, mode="P", bits=8)
    assert (header.is_palette, header.is_deep, header.is_cmyk) == (True, False, False)
    assert ImageHeader("PNG", 1, 1, 1, mode="I;16", bits=16).is_deep
    assert ImageHeader("GIF", 1, 1, 1).is_palette
    assert ImageHeader("JPEG", 1, 1, 1, mode="CMYK", bits=8).is_cmyk
