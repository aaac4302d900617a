"""The sizes that a row itself declares for its images, in ``width`` and ``height`` or lists of them. Cost: none."""

from __future__ import annotations

from collections.abc import Mapping

from dataprep.tiling import ImageSize


def declared_sizes(value: Mapping[str, object] | None, num_images: int) -> list[ImageSize | None]:
    """Return the declared size of each image; None where the row declares none that can be told.

    Args:
        value: The row; ``width`` and ``height`` are numbers, or lists with one number per image, which InternVL calls
            ``width_list`` and ``height_list``.
        num_images: Images of the row.
    """
    row = value or {}
    sides = (row.get(name) if row.get(name) is not None else row.get(f"{name}_list") for name in ("width", "height"))
    widths, heights = (_numbers(side, num_images) for side in sides)
    return [
        None if width is None or height is None else ImageSize(width, height)
        for width, height in zip(widths, heights, strict=True)
    ]


def _numbers(value: object, count: int) -> list[int | None]:
    """Return one positive whole number per image, None where there is none."""
    entries = value if isinstance(value, list) else [value]
    if len(entries) != count:
        return [None] * count
    return [_pixels(entry) for entry in entries]


def _pixels(entry: object) -> int | None:
    if isinstance(entry, bool) or not isinstance(entry, int | float):
        return None
    return int(entry) if 0 < entry < 1 << 31 and entry == int(entry) else None


def is_same_size(declared: ImageSize, size: ImageSize, orientation: int) -> bool:
    """Whether a declared size is that of an image, as stored or as EXIF turns it."""
    turned = ImageSize(size.height, size.width)
    return declared == size or (orientation >= 5 and declared == turned)
