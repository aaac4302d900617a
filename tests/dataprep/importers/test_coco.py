"""COCO: corner and size become two corners, everything is accounted for."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dataprep.errors import SourceError
from dataprep.importers.account import ImportAccount
from dataprep.importers.coco import read_coco
from dataprep.importers.image_folder import ImageFolder
from dataprep.importers.rows import ImportConfig
from tests.dataprep.conversions import write_png
from tests.dataprep.importers.making import boxes_of, coco, rows_of, write_json


def read(
    folder: Path, value: Any, *, keep_crowd: bool = False, **options: Any
) -> tuple[list[dict[str, Any]], ImportAccount]:
    write_png(folder / "a.png", (1, 2, 3), (40, 30))
    path, account, config = write_json(folder / "coco.json", value), ImportAccount(), ImportConfig(**options)
    images = read_coco(path, ImageFolder(folder), account, task=config.task, keep_crowd=keep_crowd)
    return rows_of(images, account, config), account


@pytest.mark.parametrize(
    ("xywh", "corners"),
    [
        ([0, 0, 40, 30], [0, 0, 40, 30]),  # the whole image: no pixel is taken off
        ([3, 4, 10, 20], [3, 4, 13, 24]),
        ([3.0, 4.5, 10.25, 20.0], [3, 4.5, 13.25, 24.5]),
        ([0.1, 0.2, 0.2, 0.1], [0.1, 0.2, 0.3, 0.3]),  # 0.30000000000000004 in binary
        ([236.98, 1, 24.7, 1], [236.98, 1, 261.68, 2]),
    ],
)
def test_corner_and_size_become_corners(tmp_path: Path, xywh: list[float], corners: list[float]) -> None:
    rows, _ = read(tmp_path, coco({"bbox": xywh}))
    assert boxes_of(rows) == [("cat", corners)]


def test_one_row_lists_all_objects_of_an_image_class_by_class(tmp_path: Path) -> None:
    entries = [{"bbox": [1, 1, 5, 5]}, {"bbox": [2, 2, 5, 5], "category_id": 2}, {"bbox": [3, 3, 5, 5]}]
    rows, account = read(tmp_path, coco(*entries))
    assert rows == [
        {
            "query": "<image>\nDetect all objects in the image.",
            "response": "<ref-object><bbox>\n<ref-object><bbox>",
            "images": ["a.png"],
            "width": 40,
            "height": 30,
            "objects": [
                {"caption": "cat", "bbox": [[1, 1, 6, 6], [3, 3, 8, 8]], "bbox_type": "real", "image": 0},
                {"caption": "dog", "bbox": [2, 2, 7, 7], "bbox_type": "real", "image": 0},
            ],
        }
    ]
    assert (account.annotations_in, account.annotations_out, account.damage) == (3, 3, {})


def test_grounding_asks_for_each_class_alone(tmp_path: Path) -> None:
    entries = [{"bbox": [1, 1, 5, 5]}, {"bbox": [2, 2, 5, 5], "category_id": 2}]
    rows, _ = read(tmp_path, coco(*entries), task="ground", query="<image>Find <ref-object>", answer="at <bbox>")
    assert [(row["query"], row["response"]) for row in rows] == [("<image>Find <ref-object>", "at <bbox>")] * 2
    assert boxes_of(rows) == [("cat", [1, 1, 6, 6]), ("dog", [2, 2, 7, 7])]


def test_captions_make_a_row_each(tmp_path: Path) -> None:
    value = coco({"caption": " A cat. "}, {"caption": "It sits."}, {"caption": ""}, {"bbox": [1, 1, 2, 2]})
    rows, account = read(tmp_path, value, task="caption")
    assert [row["response"] for row in rows] == ["A cat.", "It sits."]
    assert "objects" not in rows[0]
    assert account.left_out == {"no caption": 2}


def test_crowds_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    value = coco({"bbox": [1, 1, 5, 5]}, {"bbox": [0, 0, 9, 9], "iscrowd": 1, "segmentation": {"counts": [3]}})
    rows, account = read(tmp_path, value)
    assert boxes_of(rows) == [("cat", [1, 1, 6, 6])]
    assert account.left_out == {"crowd (--keep-crowd takes them)": 1}
    assert [kind for kind in account.remarks if "segmentations" in kind]
    rows, account = read(tmp_path, value, keep_crowd=True)
    assert boxes_of(rows) == [("cat", [[1, 1, 6, 6], [0, 0, 9, 9]])]


def test_images_without_objects_are_counted_or_answered(tmp_path: Path) -> None:
    value = coco(categories=None)
    value["annotations"] = []
    rows, account = read(tmp_path, value)
    assert rows == []
    assert account.images_left_out == {"no objects": 1}
    rows, account = read(tmp_path, value, negatives=True, negative_answer="Nothing.")
    assert [(row["response"], row.get("objects")) for row in rows] == [("Nothing.", None)]
    assert account.images_left_out == {}


def test_an_image_whose_objects_were_left_out_is_no_negative(tmp_path: Path) -> None:
    rows, account = read(tmp_path, coco({"bbox": [1, 1, 5, 5], "iscrowd": 1}), negatives=True)
    assert rows == []
    assert account.images_left_out == {"only annotations that were left out": 1}


def test_an_image_id_that_stands_twice_gets_no_row_of_its_own(tmp_path: Path) -> None:
    value = coco({"bbox": [1, 1, 5, 5]})
    value["images"] *= 2
    rows, account = read(tmp_path, value, negatives=True)
    assert len(rows) == 1
    assert account.images_in == 2
    assert account.images_left_out == {"image id that stands twice": 1}
    assert list(account.damage) == ["image id that stands twice"]


@pytest.mark.parametrize(
    ("entry", "kind", "box"),
    [
        ({"bbox": [30, 20, 20, 5]}, "box outside its image", [30, 20, 50, 25]),
        ({"bbox": [-3, 20, 20, 5]}, "box outside its image", [-3, 20, 17, 25]),
        ({"bbox": [5, 5, 0, 5]}, "box without area", [5, 5, 5, 10]),
        ({"bbox": [5, 5, -3, 5]}, "box without area", [5, 5, 2, 10]),
        ({"bbox": [5, 5, 3]}, "box without four numbers", [5, 5, 3]),
        ({"bbox": ["5", 5, 3, 1]}, "box without four numbers", ["5", 5, 3, 1]),
        ({"bbox": 7}, "box without four numbers", [7]),
        ({"bbox": [1, 1, 5, 5], "category_id": 99}, "unknown category", [1, 1, 6, 6]),
        ({"bbox": [1, 1, 5, 5], "category_id": None}, "unknown category", [1, 1, 6, 6]),
        ({"bbox": [1, 1, 5, 5], "image_id": 99}, "annotations of an image that is not listed", [1, 1, 6, 6]),
    ],
)
def test_damage_is_told_and_left_for_lint(tmp_path: Path, entry: dict[str, Any], kind: str, box: list[Any]) -> None:
    rows, account = read(tmp_path, coco(entry))
    assert [found for _, found in boxes_of(rows)] == [box]
    assert list(account.damage) == [kind]
    assert account.annotations_out == 1


def test_clipping_is_asked_for_and_counted(tmp_path: Path) -> None:
    rows, account = read(tmp_path, coco({"bbox": [30, 20, 20, 5]}, {"bbox": [50, 20, 20, 5]}), clip=True)
    assert boxes_of(rows) == [("cat", [[30, 20, 40, 25], [50, 20, 70, 25]])]
    assert account.remarks["box clipped to its image"].count == 1
    assert list(account.damage) == ["box of which nothing is left inside its image"]


def test_a_missing_image_is_told_and_its_row_kept(tmp_path: Path) -> None:
    value = coco({"bbox": [1, 1, 5, 5]})
    value["images"][0]["file_name"] = "gone.png"
    rows, account = read(tmp_path, value)
    assert rows[0]["images"] == ["gone.png"]
    assert account.damage["no image file"].examples == ["image 1, gone.png"]


def test_images_are_found_without_their_folder_and_in_other_case(tmp_path: Path) -> None:
    value = coco({"bbox": [1, 1, 5, 5]})
    for name in ("train2017/a.png", "C:\\data\\a.png", "A.PNG", "/data/a.png"):
        value["images"][0]["file_name"] = name
        rows, account = read(tmp_path, value)
        assert (rows[0]["images"], account.damage) == (["a.png"], {})


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b'{"images": []}', b'{"images": [{}], "annotations": []}', b'{"images": [', b"\xff", b"[" * 9999],
)
def test_other_files_are_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "coco.json"
    path.write_bytes(text)
    with pytest.raises(SourceError, match="no COCO file"):
        list(read_coco(path, ImageFolder(tmp_path), ImportAccount(), task="detect"))


def test_packed_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "coco.json.gz"
    path.write_bytes(gzip.compress(json.dumps(coco({"bbox": [1, 1, 5, 5]})).encode()))
    images = list(read_coco(path, ImageFolder(tmp_path), ImportAccount(), task="detect"))
    assert len(images) == 1
