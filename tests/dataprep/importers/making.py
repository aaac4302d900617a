"""Small annotations for the tests of importers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dataprep.importers.account import ImportAccount
from dataprep.importers.annotations import AnnotatedImage
from dataprep.importers.rows import ImportConfig, RowMaker


def rows_of(
    images: Iterable[AnnotatedImage], account: ImportAccount, config: ImportConfig | None = None
) -> list[dict[str, Any]]:
    """The rows of images, with the account held to its promise."""
    maker = RowMaker(config or ImportConfig(), account)
    rows = [row for image in images for row in maker.rows(image)]
    assert account.adds_up
    assert account.rows_out == len(rows)
    return rows


def boxes_of(rows: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    """Caption and box or boxes of every object."""
    return [(entry.get("caption"), entry["bbox"]) for row in rows for entry in row.get("objects", [])]


def coco(*annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A COCO file of one image of 40 x 30 px and two categories."""
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [{"id": n, "image_id": 1, "category_id": 1} | entry for n, entry in enumerate(annotations)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    } | changes


def write_json(path: Path, value: Any) -> Path:
    """Write a value as JSON."""
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
