"""Header facts against Pillow's, on real files, on damaged copies and on made-up corner cases."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dataprep.errors import MediaError
from dataprep.media.pillow import DEFAULT_MAX_PIXELS
from dataprep.media.probe import probe_image_bytes, probe_image_file

EXIF_6 = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"


def encoded(kind: str, size: tuple[int, int] = (8, 6), mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, format=kind, **options)
    return buffer.getvalue()


def pillow_facts(data: bytes) -> tuple[tuple[int, int], int, str | None] | None:
    """Return what Pillow says, None if it cannot open the bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data))
        except Exception:
            return None
        try:
            value = image.getexif().get(0x0112)
        except Exception:
            value = None
        orientation = next((number for number in range(1, 9) if number == value), 1)
        return image.size, orientation, image.format


def our_facts(data: bytes) -> tuple[tuple[int, int], int, str | None] | None:
    try:
        header = probe_image_bytes(data)
    except MediaError:
        return None
    return (header.width, header.height), header.orientation, header.format


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def png_with(*, head: bytes = b"", tail: bytes = b"") -> bytes:
    data = encoded("PNG")
    return data[:33] + head + data[33:-12] + tail + data[-12:]


def jpeg_with(segments: bytes) -> bytes:
    data = encoded("JPEG")
    return data[:2] + segments + data[2:]


def app1(payload: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload


def test_goldens_agree_with_pillow(goldens: Path) -> None:
    for path in (goldens / "images").iterdir():
        data = path.read_bytes()
        assert our_facts(data) == pillow_facts(data), path.name
        if pillow_facts(data) is not None:
            assert probe_image_file(path) == probe_image_bytes(data)


def test_real_files_agree_with_pillow_and_the_recorded_facts(real_rows: Path) -> None:
    facts = json.loads((real_rows / "FACTS_media.json").read_text(encoding="utf-8"))
    checked = 0
    for entry in facts["media"]:
        path = real_rows.parent / entry["file"]
        if "codec" in entry or not path.is_file():
            continue
        checked += 1
        data = path.read_bytes()
        assert our_facts(data) == pillow_facts(data), entry["file"]
        try:
            header = probe_image_file(path)
        except MediaError:
            assert not entry.get("decodes"), entry["file"]
            continue
        if "width" in entry:
            assert (header.width, header.height) == (entry["width"], entry["height"]), entry["file"]
            assert header.mode in (None, entry["mode"]), entry["file"]
            assert header.frames in (None, entry["frames"]), entry["file"]
    assert checked > 300


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_cut_and_changed_headers_never_crash(kind: str) -> None:
    chance = random.Random(kind)
    data = encoded(kind, (33, 17))
    assert our_facts(data) == pillow_facts(data)
    for _ in range(150):
        damaged = bytearray(data[: chance.randrange(1, len(data))] if chance.random() < 0.3 else data)
        damaged[chance.randrange(min(len(damaged), 64))] = chance.randrange(256)
        ours, theirs = our_facts(bytes(damaged)), pillow_facts(bytes(damaged))
        if ours is not None and theirs is not None:
            assert ours == theirs, bytes(damaged)
        elif kind != "WEBP":  # Pillow runs the decoder on WebP data, a header cannot know what that finds.
            assert (ours is None) == (theirs is None), bytes(damaged)


EXIF_JPEGS = {
    "one": (app1(b"Exif\x00\x00" + EXIF_6), 6),
    "two blocks": (app1(b"Exif\x00\x00" + EXIF_6) + app1(b"Exif\x00\x00rest"), 6),
    "xmp": (app1(b'http://ns.adobe.com/xap/1.0/\x00<x tiff:Orientation="3"/>'), 3),
    "exif before xmp": (
        app1(b"Exif\x00\x00" + EXIF_6) + app1(b'http://ns.adobe.com/xap/1.0/\x00tiff:Orientation="3"'),
        6,
    ),
    "not a tiff": (app1(b"Exif\x00\x00nonsense"), 1),
    "empty": (app1(b"Exif\x00\x00"), 1),
    "behind 200 KB": ((b"\xff\xe2" + struct.pack(">H", 65535) + bytes(65533)) * 3 + app1(b"Exif\x00\x00" + EXIF_6), 6),
    "value 9": (app1(b"Exif\x00\x00" + EXIF_6.replace(b"\x00\x06\x00\x00", b"\x00\x09\x00\x00")), 1),
}


@pytest.mark.parametrize("case", EXIF_JPEGS)
def test_jpeg_orientation(case: str, tmp_path: Path) -> None:
    segments, orientation = EXIF_JPEGS[case]
    data = jpeg_with(segments)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    header = probe_image_file(path)
    assert (header.width, header.height, header.orientation) == (8, 6, orientation)
    assert header.upright_size == ((6, 8) if orientation == 6 else (8, 6))
    assert our_facts(data) == pillow_facts(data)


def test_jpeg_exif_behind_the_frame_header() -> None:
    data = encoded("JPEG")
    scan = data.index(b"\xff\xda")
    data = data[:scan] + app1(b"Exif\x00\x00" + EXIF_6) + data[scan:]
    assert probe_image_bytes(data).orientation == 6


XMP_TEXT = b"XML:com.adobe.xmp\x00%c\x00\x00\x00"
RAW_PROFILE = b"Raw profile type exif\x00\nexif\n  32\n" + (b"Exif\x00\x00" + EXIF_6).hex().encode() + b"\n"
PNGS = {
    "head": ({"head": chunk(b"eXIf", EXIF_6)}, 6),
    "tail": ({"tail": chunk(b"eXIf", EXIF_6)}, 6),
    "xmp head": ({"head": chunk(b"iTXt", XMP_TEXT % 0 + b'tiff:Orientation="8"')}, 8),
    "xmp tail": ({"tail": chunk(b"iTXt", XMP_TEXT % 0 + b"tiff:Orientation>8")}, 8),
    "xmp packed": ({"head": chunk(b"iTXt", XMP_TEXT % 1 + zlib.compress(b'tiff:Orientation="8"'))}, 8),
    "profile as text": ({"head": chunk(b"tEXt", RAW_PROFILE)}, 6),
    "profile as text behind": ({"tail": chunk(b"tEXt", RAW_PROFILE)}, 6),
}


@pytest.mark.parametrize("case", PNGS)
def test_png_orientation(case: str) -> None:
    data = png_with(**PNGS[case][0])
    assert our_facts(data) == pillow_facts(data)
    assert probe_image_bytes(data).orientation == PNGS[case][1]


def test_cheap_facts() -> None:
    assert probe_image_bytes(encoded("JPEG", mode="CMYK")).is_cmyk
    assert probe_image_bytes(encoded("PNG", mode="RGBA")).has_alpha
    assert probe_image_bytes(encoded("PNG", mode="I;16")).bits == 16
    still = Image.new("RGB", (8, 6))
    for kind in ("PNG", "WEBP"):
        buffer = io.BytesIO()
        still.save(buffer, format=kind, save_all=True, append_images=[Image.new("RGB", (8, 6), "red")])
        header = probe_image_bytes(buffer.getvalue())
        assert (header.frames, header.is_animated) == (2, True)


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "TGA"])
def test_other_formats_go_to_pillow(kind: str) -> None:
    data = encoded(kind, (16, 16))
    assert (probe_image_bytes(data).width, probe_image_bytes(data).format) == (16, kind)


def reason_of(source: Path | bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> str:
    if isinstance(source, bytes):
        with pytest.raises(MediaError) as caught:
            probe_image_bytes(source, max_pixels=max_pixels)
    else:
        with pytest.raises(MediaError) as caught:
            probe_image_file(source, max_pixels=max_pixels)
    return caught.value.reason


def test_reasons(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.png"
    os.mkfifo(fifo)
    empty = tmp_path / "empty.png"
    empty.touch()
    assert reason_of(tmp_path / "no.png") == "missing"
    assert reason_of(tmp_path) == "is-directory"
    assert reason_of(fifo) == "not-a-regular-file"
    assert reason_of(empty) == "empty"
    assert reason_of(tmp_path / "nul\x00.png") == "unreadable"
    assert reason_of(b"version https://git-lfs.github.com/spec/v1\noid sha256:12\n") == "lfs-pointer"
    assert reason_of(b"<!DOCTYPE html><html>") == "not-an-image"
    assert reason_of(b"\x00\x00\x00\x18ftypheic" + bytes(40)) == "unsupported-format"
    assert reason_of(b"\x00\x00\x00\x18ftypisom" + bytes(40)) == "not-an-image"
    assert reason_of(encoded("PNG")[:20]) == "truncated-header"
    assert reason_of(encoded("JPEG")[:100]) == "truncated-header"
    assert (
        reason_of(encoded("GIF")[:6] + b"\x00\x00" + encoded("GIF")[8:].replace(b"\x08\x00", b"\x00\x00"))
        == "zero-size"
    )
    assert reason_of(encoded("PNG"), max_pixels=47) == "too-large"
    assert reason_of(encoded("TIFF"), max_pixels=47) == "too-large"


def test_a_header_claiming_a_huge_canvas_is_too_large() -> None:
    ihdr = chunk(b"IHDR", struct.pack(">LLBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    assert reason_of(b"\x89PNG\r\n\x1a\n" + ihdr + chunk(b"IDAT", b"x")) == "too-large"
