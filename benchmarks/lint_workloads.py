"""Data sets for the benchmark of lint: drawn from a seed, so that every run measures the same bytes."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_WORDS = tuple(f"word{number}" if number % 3 else "Straße" for number in range(500))
_SIZES_PX = ((640, 480), (500, 375), (800, 600), (427, 640))


def text_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of one question and one answer of 25 words."""
    rng = random.Random(0)
    for number in range(count):
        question = f"{' '.join(rng.choices(_WORDS, k=12))} {number}?"
        yield {"query": question, "response": " ".join(rng.choices(_WORDS, k=25))}


def grounding_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of one image with one to four boxes in pixels."""
    rng = random.Random(1)
    for number in range(count):
        objects = [_object(rng, index) for index in range(rng.randint(1, 4))]
        tags = " and ".join(["<ref-object>"] * len(objects))
        yield {
            "query": f"<image>Find {tags} in picture {number}.",
            "response": "<bbox>" * len(objects),
            "images": [f"images/{number % 1000}.jpg"],
            "objects": objects,
        }


def mixed_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield text rows and grounding rows in turn."""
    for text, grounding in zip(text_rows(count // 2), grounding_rows(count // 2), strict=True):
        yield text
        yield grounding


def image_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of one image each, no image twice, with one box."""
    rng = random.Random(2)
    for number in range(count):
        yield {
            "query": f"<image>Find <ref-object>, {number}.",
            "response": "<bbox>",
            "images": [f"images/{number}.jpg"],
            "objects": [_object(rng, 0)],
        }


def _object(rng: random.Random, index: int) -> dict[str, Any]:
    left, top = rng.randint(0, 300), rng.randint(0, 250)
    box = [left, top, left + rng.randint(20, 100), top + rng.randint(20, 100)]
    return {"caption": f"thing {index}", "bbox": box, "bbox_type": "real", "image": 0}


def write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows as JSON Lines and return how many there are."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_images(folder: Path, count: int, source: Path | None) -> None:
    """Write ``count`` JPEG files: copies of the photographs in ``source``, or noise where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _photographs(source) or _noise()
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(pictures[number % len(pictures)])


def _photographs(source: Path | None) -> list[bytes]:
    if source is None:
        return []
    from PIL import Image

    found = []
    for path in sorted(source.rglob("*.jpg")):
        try:
            with Image.open(path) as image:
                is_plain = image.mode == "RGB" and min(image.size) >= 400 and image.getexif().get(0x112, 1) == 1
        except OSError:
            continue
        if is_plain:
            found.append(path.read_bytes())
    return found


def _noise() -> list[bytes]:
    import numpy as np
    from PIL import Image

    rng, pictures = np.random.default_rng(0), []
    for width, height in _SIZES_PX:
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(stream, "JPEG", quality=60)
        pictures.append(stream.getvalue())
    return pictures


WORKLOADS: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
    "text": text_rows,
    "grounding": grounding_rows,
    "mixed": mixed_rows,
}
