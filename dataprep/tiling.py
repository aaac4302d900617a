"""Choose how an image is cut into tiles, from its size alone.

InternVL resizes an image to a grid of square tiles whose shape is nearest to the image's, and adds a thumbnail
of the whole image when there is more than one tile. The choice needs width and height only, so a header is
enough. The reference compares ratios as float64; here the same decisions are made in integers.

Source: ``dynamic_preprocess`` of OpenGVLab/InternVL (internvl_chat/internvl/train/dataset.py, 2410d1dbf208).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The tiles of one image.

    Attributes:
        columns: Tiles from left to right.
        rows: Tiles from top to bottom.
        tiles: All tiles that the model sees: ``columns * rows``, plus the thumbnail if that is more than one.
    """

    columns: int
    rows: int
    tiles: int


@dataclass(frozen=True, slots=True)
class ImageSize:
    """Width and height of an image in pixels, as the model will see it (stored, or upright with EXIF applied)."""

    width: int
    height: int


@lru_cache(maxsize=64)
def candidate_grids(max_num: int) -> tuple[tuple[int, int], ...]:
    """Return every (columns, rows) with at most ``max_num`` tiles, by number of tiles."""
    grids = [(columns, rows) for columns in range(1, max_num + 1) for rows in range(1, max_num // columns + 1)]
    return tuple(sorted(grids, key=lambda grid: (grid[0] * grid[1], grid[0])))


@lru_cache(maxsize=65536)
def choose_grid(width_px: int, height_px: int, *, max_num: int, tile_size_px: int) -> TileGrid:
    """Return the tile grid of an image.

    Args:
        width_px: Width of the image as stored, in pixels, at least 1.
        height_px: Height of the image as stored, in pixels, at least 1.
        max_num: Most tiles that the grid may have, thumbnail not counted; at least 1.
        tile_size_px: Side of a tile.

    Raises:
        ValueError: If a size or ``max_num`` is below 1.
    """
    if min(width_px, height_px, max_num, tile_size_px) < 1:
        raise ValueError(f"no tiles for a {width_px}x{height_px} image with max_num {max_num}")
    best = (1, 1)
    # |i/j - w/h| = |i*h - w*j| / (j*h): the common factor h drops out of every comparison.
    best_distance = (abs(height_px - width_px), 1)
    for columns, rows in candidate_grids(max_num):
        distance = (abs(columns * height_px - width_px * rows), rows)
        nearer = distance[0] * best_distance[1] - best_distance[0] * distance[1]
        tie_goes_to_area = 2 * width_px * height_px > tile_size_px**2 * columns * rows
        if nearer < 0 or (nearer == 0 and tie_goes_to_area):
            best, best_distance = (columns, rows), distance
    count = best[0] * best[1]
    return TileGrid(best[0], best[1], count + 1 if count > 1 else 1)
