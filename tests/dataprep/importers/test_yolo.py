"""YOLO: 0..1 of an image whose header tells the size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataprep.errors import ConfigError, SourceError
from dataprep.importers.account import ImportAccount
from dataprep.importers.image_folder import ImageFolder
from dataprep.importers.yolo import find_yolo_images, read_class_names, read_yolo
from tests.dataprep.conversions import write_png
from tests.dataprep.importers.making import boxes_of, rows_of

NAMES = {0: "cat", 1: "dog"}


def read(folder: Path, text: str, size: tuple[int, int] = (40, 30)) -> tuple[list[dict[str, Any]], ImportAccount]:
    (folder / "labels").mkdir(exist_ok=True)
    write_png(folder / "images" / "a.png", (1, 2, 3), size)
    (folder / "labels" / "a.txt").write_text(text)
    account = ImportAccount()
    images = read_yolo(folder / "labels", ImageFolder(folder / "images"), account, names=NAMES)
    return rows_of(images, account), account


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("0 0.5 0.5 1 1", [0, 0, 40, 30]),
        ("0 0.25 0.5 0.5 0.2", [0, 12, 20, 18]),
        ("0 0.3 0.4 0.1 0.1", [10, 10.5, 14, 13.5]),
        ("0 0.950001 0.5 0.1 1.000001", [36, 0, 40, 30]),  # edges that rounding has pushed out
        ("0 0.2 0.2 0.8 0.2 0.8 0.6", [8, 6, 32, 18]),  # a polygon of three points
        ("0 0.5 0.5 1 1 0.87", [0, 0, 40, 30]),  # with a confidence
    ],
)
def test_centre_and_size_become_corners_in_pixels(tmp_path: Path, line: str, box: list[float]) -> None:
    rows, account = read(tmp_path, line)
    assert boxes_of(rows) == [("cat", [pytest.approx(value, abs=1e-3) for value in box])]
    assert account.damage == {}
    assert (rows[0]["width"], rows[0]["height"]) == (40, 30)


def test_polygons_and_confidences_are_told(tmp_path: Path) -> None:
    _, account = read(tmp_path, "0 0.2 0.2 0.8 0.2 0.8 0.6\n0 0.5 0.5 1 1 0.87\n")
    assert set(account.remarks) == {"polygon taken as its box", "number behind the box not read (a confidence)"}


@pytest.mark.parametrize("line", ["cat 0.5 0.5 1 1", "0 0.5 0.5 1", "0 0.5 nan 1 1", "0.5 0.5 0.5 1 1", "x"])
def test_lines_that_are_no_labels_are_counted(tmp_path: Path, line: str) -> None:
    rows, account = read(tmp_path, f"{line}\n\n1 0.5 0.5 0.5 0.5\n")
    assert [caption for caption, _ in boxes_of(rows)] == ["dog"]
    assert (account.annotations_in, account.left_out) == (2, {"line that is no label": 1})
    assert account.damage["line that is no label"].examples[0].endswith(f"a.txt:1: {line}")


def test_damage_is_told_and_left_for_lint(tmp_path: Path) -> None:
    rows, account = read(tmp_path, "7 0.5 0.5 0.5 0.5\n0 0.9 0.5 0.5 0.5\n1 0.5 0.5 0 0.5\n")
    assert {kind: note.count for kind, note in account.damage.items()} == {
        "unknown category": 1,
        "box outside its image": 1,
        "box without area": 1,
    }
    assert len(boxes_of(rows)) == 3
    assert account.annotations_out == 3


def test_images_without_labels_are_negatives_and_labels_without_image_are_damage(tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "empty.png", (1, 2, 3))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "gone.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    rows, account = read(tmp_path, "0 0.5 0.5 0.5 0.5\n")
    assert account.images_left_out == {"no objects": 1}
    assert account.images_in == 3
    (row,) = [row for row in rows if not row["images"]]
    assert row["objects"] == [{"caption": "cat", "bbox": [0.25, 0.25, 0.75, 0.75], "bbox_type": "norm_1", "image": 0}]
    assert list(account.damage) == ["no image file"]


def test_an_image_that_cannot_be_read_keeps_its_boxes_in_0_to_1(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "labels" / "b.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "images" / "b.png").write_bytes(b"not a picture")
    rows, account = read(tmp_path, "")
    assert (rows[0]["images"], rows[0]["objects"][0]["bbox_type"]) == (["b.png"], "norm_1")
    assert list(account.damage) == ["image that cannot be read"]


def test_subfolders_are_kept_apart(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_png(tmp_path / "images" / part / "x.png", (1, 2, 3), (10, 10))
        (tmp_path / "labels" / part).mkdir(parents=True)
        (tmp_path / "labels" / part / "x.txt").write_text(f"{int(part == 'val')} 0.5 0.5 1 1\n")
    rows, _ = read(tmp_path, "")
    assert [(row["images"], row["objects"][0]["caption"]) for row in rows] == [
        (["train/x.png"], "cat"),
        (["val/x.png"], "dog"),
    ]
    assert find_yolo_images(tmp_path / "labels" / "train") == tmp_path / "images" / "train"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "cat\ndog\n"),
        ("obj.names", "cat\r\ndog"),
        ("data.yaml", "names: [cat, dog]\nnc: 2\n"),
        ("data.yaml", "train: x\nnames:\n  0: cat\n  1: dog\n"),
    ],
)
def test_names_are_found_near_the_labels(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / name).write_text(text)
    assert read_class_names(None, tmp_path / "labels") == NAMES
    assert read_class_names(tmp_path / name, tmp_path / "labels") == NAMES


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("data.yaml", "names: 5\n", "holds no names"),
        ("data.yaml", "names: [[a], b]\n", "names must be a list of texts"),
        ("data.yaml", "{", "no YAML"),
        ("data.yaml", "!!python/object/apply:os.system ['true']", "no YAML"),
        ("classes.txt", "\n", "holds no names"),
    ],
)
def test_what_holds_no_names_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_class_names(tmp_path / name, tmp_path)


def test_nothing_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no names of classes near it"):
        read_class_names(None, tmp_path)
    with pytest.raises(SourceError, match=r"a folder without .txt files"):
        list(read_yolo(tmp_path, ImageFolder(tmp_path), ImportAccount(), names=NAMES))
