"""Images whose end is missing are found by their last bytes, and only by a decoder's word."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from PIL import Image

from dataprep.errors import MediaError
from dataprep.media.ending import END_BYTES, check_all_pixels_are_there, has_usual_end, says_truncated
from dataprep.media.probe import probe_image_bytes, probe_image_file


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise = Image.frombytes("RGB", (64, 48), random.Random(kind).randbytes(64 * 48 * 3))
    noise.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_whole_files_pass_at_a_glance(kind: str) -> None:
    data = encoded(kind)
    assert has_usual_end(data[-END_BYTES:], kind)
    assert probe_image_bytes(data, checks_end=True) == probe_image_bytes(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_cut_files_are_found(tmp_path: Path, kind: str, share: float) -> None:
    data = encoded(kind)
    cut = data[: int(len(data) * share)]
    path = tmp_path / "cut"
    path.write_bytes(cut)
    probe_image_bytes(cut)  # the header alone is in order
    with pytest.raises(MediaError, match="end before its pixels do") as caught:
        probe_image_bytes(cut, checks_end=True)
    assert caught.value.reason == "truncated-data"
    with pytest.raises(MediaError, match=f"its {len(cut):,} bytes"):
        probe_image_file(path, checks_end=True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_something_behind_the_picture_is_no_harm(kind: str) -> None:
    data = encoded(kind) + b"a camera's trailer"
    assert not has_usual_end(data[-END_BYTES:], kind)
    probe_image_bytes(data, checks_end=True)


def test_other_damage_is_not_looked_for() -> None:
    data = bytearray(encoded("PNG"))
    data[60:80] = bytes(20)
    check_all_pixels_are_there(io.BytesIO(bytes(data)), "x", max_pixels=10_000)
    assert not says_truncated(ValueError("bad Huffman code"))
