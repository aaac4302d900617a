"""Decoded pixels, tiles and normalised values against the reference's hashes."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image, ImageOps

from dataprep.errors import MediaError
from dataprep.media.decode import cut_tiles, open_rgb
from dataprep.media.pillow import PILLOW_ERRORS
from dataprep.media.resolve import resolve
from dataprep.media.video import choose_frames, probe_video, read_frames
from dataprep.tiling import TileGrid, choose_grid

IS_PILLOW_13 = int(PIL.__version__.split(".")[0]) >= 13
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
# Rows and columns of the two pixels that a golden's `samples` list of each tile.
SAMPLE_POINTS = ((0, 0), (223, 100))
DAMAGED = {"truncated.jpg", "empty.jpg", "notimage.jpg"}


def sha256(array: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def normalise(tiles: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    values = (tiles.astype(np.float32) / np.float32(255) - MEAN) / STD
    return values.transpose(0, 3, 1, 2)


@pytest.fixture(scope="module")
def pictures(goldens: Path) -> dict[str, Image.Image]:
    """Every image and chosen video frame of the goldens by the hash of its RGB pixels."""
    found = {}
    for path in sorted((goldens / "images").iterdir()):
        if path.name not in DAMAGED:
            image = open_rgb(path.read_bytes())
            found[sha256(np.asarray(image))] = image
    for line in (goldens / "rows.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["id"] == "tag-25-base64":
            image = open_rgb(resolve(record["row"]["images"][0], root=goldens).data or b"")
            found[sha256(np.asarray(image))] = image
    pytest.importorskip("decord")
    for path in sorted((goldens / "videos").iterdir()):
        for frame in read_frames(path, choose_frames(probe_video(path).num_frames)):
            found[sha256(frame)] = Image.fromarray(frame)
    return found


def golden_encodings(goldens: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (row id, encoding) with images, once per distinct set of images and settings."""
    newer = {}
    if IS_PILLOW_13:
        lines = (goldens / "goldens_pillow13.jsonl").read_text(encoding="utf-8").splitlines()
        newer = {record["id"]: record for record in map(json.loads, lines)}
    seen = set()
    for line in (goldens / "goldens.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        record = newer.get(record["id"], record)
        for encoding in (record["encoded"] or {}).values():
            key = json.dumps([record["id"].startswith("img-"), encoding.get("images")])
            if encoding.get("images") and key not in seen:
                seen.add(key)
                yield record["id"], encoding


def differs_by_pillow(row_id: str, entry: dict[str, Any]) -> bool:
    """Under Pillow 13 thumbnails of tall images differ from the hashes outside the ``img-`` rows."""
    return IS_PILLOW_13 and not row_id.startswith("img-") and entry["size"][1] > entry["size"][0]


def test_goldens_pixels_tiles_and_values(goldens: Path, pictures: dict[str, Image.Image]) -> None:
    compared = {"rgb": 0, "tiles": 0, "values": 0, "samples": 0}
    tile_hashes: dict[tuple[str, int, int], tuple[np.ndarray[Any, Any], str]] = {}
    for row_id, encoding in golden_encodings(goldens):
        parts, exact = [], True
        for entry in encoding["images"]:
            image = pictures[entry["rgb_sha256"]]
            compared["rgb"] += 1
            side, max_num = entry["args"]["image_size"], entry["args"]["max_num"]
            key = (entry["rgb_sha256"], side, max_num)
            if key not in tile_hashes:
                grid = choose_grid(*image.size, max_num=max_num, tile_size_px=side)
                tiles = cut_tiles(image, grid, tile_size_px=side)
                tile_hashes[key] = tiles, sha256(tiles)
            tiles, digest = tile_hashes[key]
            assert len(tiles) == entry["tiles"], row_id
            parts.append(tiles)
            if differs_by_pillow(row_id, entry):
                exact = False
            else:
                assert digest == entry["tiles_u8_sha256"], row_id
                compared["tiles"] += 1
        golden = encoding.get("pixel_values")
        if golden is None:
            continue
        values = normalise(np.concatenate(parts))
        assert list(values.shape) == golden["shape"], row_id
        if exact:
            assert sha256(values) == golden["sha256_f32le"], row_id
            compared["values"] += 1
        else:
            # Eight grey levels, as a difference of normalised values of the channel with the smallest deviation.
            for tile, *points in golden["samples"]:
                for (y, x), point in zip(SAMPLE_POINTS, points, strict=True):
                    assert np.abs(values[tile, :, y, x] - np.array(point)).max() <= 8 / 255 / 0.224, row_id
            compared["samples"] += 1
    assert min(compared["rgb"], compared["tiles"]) > 60, compared
    assert compared["values"] > 30, compared


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_is_ignored_unless_asked_for(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.arange(7 * 5 * 3, dtype=np.uint8).reshape(7, 5, 3)), "PNG", exif=exif)
    stored = Image.open(io.BytesIO(data))
    assert np.array_equal(np.asarray(open_rgb(data)), np.asarray(stored))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(np.asarray(open_rgb(data, apply_exif=True)), np.asarray(expected))


def test_golden_exif_image_stands_upright(goldens: Path) -> None:
    data = (goldens / "images" / "exif6_640x480.jpg").read_bytes()
    assert open_rgb(data).size == (640, 480)
    assert open_rgb(data, apply_exif=True).size == (480, 640)


def test_alpha_is_dropped_and_hidden_colour_kept() -> None:
    assert open_rgb(encoded(Image.new("RGBA", (2, 2), (10, 20, 30, 0)), "PNG")).getpixel((0, 0)) == (10, 20, 30)


def test_palette_with_transparency_gives_no_warning(goldens: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([1, 2, 3, 4, 5, 6])
    data = encoded(palette, "PNG", transparency=b"\x00\x80")
    assert open_rgb(data).getpixel((0, 0)) == (1, 2, 3)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert open_rgb(data).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("file", "reason"),
    [("truncated.jpg", "truncated-data"), ("empty.jpg", "empty"), ("notimage.jpg", "not-an-image")],
)
def test_damaged_goldens_are_errors(goldens: Path, file: str, reason: str) -> None:
    with pytest.raises(MediaError) as caught:
        open_rgb((goldens / "images" / file).read_bytes(), name=file)
    assert (caught.value.reason, caught.value.path) == (reason, file)


def test_pixel_limit_is_exact_and_restored() -> None:
    before = Image.MAX_IMAGE_PIXELS
    data = encoded(Image.new("RGB", (10, 11)), "PNG")
    assert open_rgb(data, max_pixels=110).size == (10, 11)
    for limit in (109, 20):
        with pytest.raises(MediaError) as caught:
            open_rgb(data, max_pixels=limit)
        assert caught.value.reason == "too-large"
    assert before == Image.MAX_IMAGE_PIXELS


def pillow_rgb(data: bytes) -> Image.Image | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image.open(io.BytesIO(data)).convert("RGB")
        except (*PILLOW_ERRORS, Image.DecompressionBombError):
            return None


def test_real_images_decode_like_pillow_or_fail_cleanly(real: Path) -> None:
    for path in sorted((real / "nasty").rglob("*.*")):
        if path.suffix in {".json", ".mp4", ".mkv", ".mov"} or not path.is_file():
            continue
        expected = pillow_rgb(path.read_bytes())
        if expected is None:
            with pytest.raises(MediaError):
                open_rgb(path.read_bytes())
        else:
            assert np.array_equal(np.asarray(open_rgb(path.read_bytes())), np.asarray(expected)), path.name


def test_tiles_go_row_by_row_with_the_thumbnail_last() -> None:
    image = Image.new("RGB", (2, 2))
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    image.putdata(colours)
    tiles = cut_tiles(image.resize((64, 64), Image.Resampling.NEAREST), TileGrid(2, 2, 5), tile_size_px=32)
    assert tiles.shape == (5, 32, 32, 3)
    assert tiles.dtype == np.uint8
    assert [tuple(tile[16, 16]) for tile in tiles[:4]] == colours
    assert tuple(tiles[4, 0, 0]) == colours[0]


def test_one_tile_has_no_thumbnail() -> None:
    assert cut_tiles(Image.new("RGB", (9, 9)), TileGrid(1, 1, 1), tile_size_px=16).shape == (1, 16, 16, 3)


def test_tiles_are_cut_from_rgb_only() -> None:
    with pytest.raises(ValueError, match="not L"):
        cut_tiles(Image.new("L", (9, 9)), TileGrid(1, 1, 1), tile_size_px=16)
