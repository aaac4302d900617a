"""Decode an image to RGB and cut it into tiles, to the grey level as the reference does.

Data flow: encoded bytes -> first frame, ``convert('RGB')`` -> the whole image resized to the grid without keeping its
ratio -> tiles row by row, then a thumbnail of the whole image. Alpha is dropped, not blended; EXIF is ignored unless
asked for. Tiles stay uint8 (one quarter of float32): the model's side normalises them. Nothing here opens files.

Source: ``dynamic_preprocess`` of OpenGVLab/InternVL (internvl_chat/internvl/train/dataset.py, 2410d1dbf208).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from dataprep.errors import MediaError
from dataprep.media.pillow import DEFAULT_MAX_PIXELS, PILLOW_ERRORS, open_image
from dataprep.media.probe import probe_image_bytes
from dataprep.tiling import TileGrid

# What to do with the stored pixels so that they stand upright. Source: EXIF 2.32, tag 0x0112.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_rgb(
    data: bytes, *, apply_exif: bool = False, name: str = "image", max_pixels: int = DEFAULT_MAX_PIXELS
) -> Image.Image:
    """Decode the first frame of an encoded image to RGB.

    Args:
        data: The whole encoded image.
        apply_exif: Turn the pixels as the orientation says (default: as stored).
        name: How messages call the image.
        max_pixels: Most pixels (width times height) that an image may have.

    Returns:
        An image of mode RGB that owns its pixels.

    Raises:
        MediaError: With the reasons of the probe, or ``truncated-data`` or ``damaged-data`` where pixels are missing.
    """
    if not data:
        raise MediaError(name, "empty", "is empty (0 bytes)")
    image = open_image(data, name, max_pixels=max_pixels)
    try:
        image.load()
        # Every kind of transparency is dropped anyway; with this entry gone Pillow does not warn about it.
        image.info.pop("transparency", None)
        rgb = image.convert("RGB")
    except PILLOW_ERRORS as error:
        reason = "truncated-data" if "truncated" in str(error).lower() else "damaged-data"
        raise MediaError(name, reason, f"has damaged pixel data: {error}") from error
    if not apply_exif:
        return rgb
    # The probe's answer, so that pixels and the sizes that lint and convert work with are turned alike.
    method = _UPRIGHT.get(probe_image_bytes(data, name=name, max_pixels=max_pixels).orientation)
    return rgb if method is None else rgb.transpose(method)


def cut_tiles(image: Image.Image, grid: TileGrid, *, tile_size_px: int) -> npt.NDArray[np.uint8]:
    """Cut an RGB image into the tiles of its grid.

    Args:
        image: An image of mode RGB.
        grid: Its tile grid, from ``choose_grid``.
        tile_size_px: Side S of a tile.

    Returns:
        Tiles of shape (T, S, S, 3), uint8: row by row from the top left; the thumbnail last if there is one.

    Raises:
        ValueError: If the image is not RGB.
    """
    if image.mode != "RGB":
        raise ValueError(f"tiles are cut from RGB images, not {image.mode}; decode with open_rgb")
    side, count = tile_size_px, grid.columns * grid.rows
    tiles = np.empty((grid.tiles, side, side, 3), dtype=np.uint8)
    whole = image.resize((side * grid.columns, side * grid.rows), Image.Resampling.BICUBIC)
    pixels = np.asarray(whole).reshape(grid.rows, side, grid.columns, side, 3)
    tiles[:count] = pixels.transpose(0, 2, 1, 3, 4).reshape(count, side, side, 3)
    if grid.tiles > count:
        tiles[count] = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
    return tiles
