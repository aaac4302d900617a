"""Strict decoding finds what Pillow hides, hashes stay alike under re-encoding, and memory is capped."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataprep.errors import MediaError
from dataprep.media import pixels as module
from dataprep.media.index import MediaFacts, MediaIndex
from dataprep.media.pixels import PixelFacts, decode_grey, hash_distance, hash_picture, read_pixels
from dataprep.records import MediaRef

MODES = ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "I", "F", "LAB"]


def picture(seed: int = 1, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture with structure at low frequencies, unlike noise."""
    chance = np.random.default_rng(seed)
    coarse = Image.fromarray(chance.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def perceptual(data: bytes) -> int:
    grey = decode_grey(data)
    assert grey is not None
    assert grey.mode == "L"
    found = hash_picture(grey)
    assert found is not None
    return found


def look_up(folder: Path, name: str) -> MediaFacts:
    return MediaIndex(folder).look_up(MediaRef("image", name, "images[0]"))


def overwrite(data: bytes, at: float = 0.5, count: int = 200) -> bytes:
    start = int(len(data) * at)
    return data[:start] + bytes(count) + data[start + count :]


@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_overwritten_scan_data_are_found_though_pillow_is_content(mode: str, quality: int) -> None:
    data = encode(picture().convert(mode), "JPEG", quality=quality)
    assert decode_grey(data) is not None
    damaged = overwrite(data)
    Image.open(io.BytesIO(damaged)).load()
    with pytest.raises(MediaError, match="damaged pixel data") as caught:
        decode_grey(damaged)
    assert caught.value.reason == "damaged-data"


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_cut_files_of_other_formats_are_found(kind: str) -> None:
    data = encode(picture(), kind)
    with pytest.raises(MediaError) as caught:
        decode_grey(data[: len(data) // 2])
    assert caught.value.reason == "truncated-data"


def test_a_wrong_checksum_in_png_pixels_is_damage() -> None:
    data = encode(picture(), "PNG")
    at = data.index(b"IDAT") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    damaged = data[: at + 8 + length] + b"\0\0\0\0" + data[at + 12 + length :]
    Image.open(io.BytesIO(damaged)).load()
    with pytest.raises(MediaError, match="wrong checksum at byte 33"):
        decode_grey(damaged)


def test_damaged_metadata_are_not_damaged_pixels() -> None:
    data = encode(picture(), "JPEG")
    profile = b"\xff\xe2\x00\x10ICC_PROFILE\x00\x09\x01"
    assert perceptual(data[:2] + profile + data[2:]) == perceptual(data)
    garbage = data[:20] + b"\x12\x34" + data[20:]
    assert perceptual(garbage) == perceptual(data)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_the_same_hash(mode: str) -> None:
    image = picture()
    if mode == "LAB":
        from PIL import ImageCms

        lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        image = ImageCms.applyTransform(image, lab) or image
    elif mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    else:
        image = image.convert("L" if mode in ("I", "F") else "RGB").convert(mode)
    kind = "JPEG" if mode == "CMYK" else "TIFF"
    assert hash_distance(perceptual(encode(image, kind)), perceptual(encode(picture(), "PNG"))) <= 6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "change",
    [
        lambda image: encode(image, "JPEG", quality=50),
        lambda image: encode(image, "WEBP", quality=60),
        lambda image: encode(image.resize((160, 120)), "JPEG", quality=85),
        lambda image: encode(image.resize((640, 480)), "PNG"),
        lambda image: encode(image.resize((97, 73)), "PNG"),
    ],
)
def test_a_picture_re_encoded_or_resized_stays_alike(seed: int, change: Callable[[Image.Image], bytes]) -> None:
    image = picture(seed)
    assert hash_distance(perceptual(change(image)), perceptual(encode(image, "PNG"))) <= 4


def test_different_pictures_are_far_apart() -> None:
    hashes = [perceptual(encode(picture(seed), "PNG")) for seed in range(30)]
    assert min(hash_distance(one, two) for i, one in enumerate(hashes) for two in hashes[:i]) > 10


def test_a_picture_of_one_colour_has_no_hash() -> None:
    assert hash_picture(Image.new("L", (64, 64), 200)) is None


def test_facts_of_files_and_inline_data(tmp_path: Path) -> None:
    data = encode(picture(), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    facts = look_up(tmp_path, "a.png")
    found = read_pixels(facts)
    assert (found.perceptual_hash, found.error) == (perceptual(data), None)
    assert read_pixels(MediaFacts(ref=facts.ref, header=facts.header, data=data)) == found
    (tmp_path / "a.png").write_bytes(overwrite(data, 0.2))
    damaged = read_pixels(facts)
    assert damaged.error is not None
    assert damaged.content_hash not in (None, found.content_hash)
    (tmp_path / "a.png").unlink()
    gone = read_pixels(facts)
    assert gone.error is not None
    assert (gone.content_hash, gone.error.reason) == (None, "unreadable")
    assert read_pixels(look_up(tmp_path, "a.png")) == PixelFacts()


def test_large_files_are_hashed_in_pieces_and_large_images_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(encode(picture(), "PNG"))
    facts = look_up(tmp_path, "a.png")
    whole = read_pixels(facts)
    monkeypatch.setattr(module, "MAX_DECODED_BYTES", 1000)
    assert read_pixels(facts) == PixelFacts(content_hash=whole.content_hash)
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 100)
    monkeypatch.setattr(module, "_PIECE_BYTES", 64)
    assert read_pixels(facts) == PixelFacts(content_hash=whole.content_hash)


def test_pixel_bombs_are_not_decoded(tmp_path: Path) -> None:
    bomb = encode(picture(), "JPEG")
    at = bomb.index(b"\xff\xc0") + 5
    bomb = bomb[:at] + b"\xff\xff\xff\xff" + bomb[at + 4 :]
    (tmp_path / "a.jpg").write_bytes(bomb)
    assert read_pixels(look_up(tmp_path, "a.jpg")) == PixelFacts()
    with pytest.raises(MediaError) as caught:
        decode_grey(bomb)
    assert caught.value.reason == "too-large"


REALLY_DAMAGED = {
    # Pillow decodes these without a word; FACTS_media.json, which is made with it, counts them as whole.
    "nasty/pillow/broken_data_stream.png",
    "nasty/pillow/hopper_bad_exif.jpg",
}


def test_real_files_are_damaged_or_not_as_recorded(real_rows: Path) -> None:
    entries = json.loads((real_rows / "FACTS_media.json").read_text(encoding="utf-8"))["media"]
    damaged, checked = set(), 0
    for entry in entries:
        path = real_rows.parent / entry["file"]
        if "codec" in entry or not path.is_file():
            continue
        facts = look_up(path.parent, path.name)
        checked += 1
        if facts.error is not None or read_pixels(facts).error is not None:
            damaged.add(entry["file"])
            assert not entry.get("decodes") or entry["file"] in REALLY_DAMAGED, entry["file"]
        else:
            assert entry.get("decodes", True), entry["file"]
    assert damaged >= REALLY_DAMAGED
    assert checked > 300
