"""Pascal VOC: XML from anywhere, counted from 0 or from 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataprep.errors import SourceError
from dataprep.importers.account import ImportAccount
from dataprep.importers.image_folder import ImageFolder
from dataprep.importers.voc import find_voc_images, read_voc
from tests.dataprep.conversions import write_png
from tests.dataprep.importers.making import boxes_of, rows_of

OBJECT = (
    "<object><name>{name}</name>{marks}"
    "<bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"
)


def voc(*objects: str, filename: str = "a.png", size: str = "<width>40</width><height>30</height>") -> str:
    return (
        f"<annotation><filename>{filename}</filename><size>{size}<depth>3</depth></size>{''.join(objects)}</annotation>"
    )


def box(*sides: object, name: str = "cat", marks: str = "") -> str:
    return OBJECT.format(*sides, name=name, marks=marks)


def read(folder: Path, text: str | bytes, **options: Any) -> tuple[list[dict[str, Any]], ImportAccount]:
    write_png(folder / "a.png", (1, 2, 3), (40, 30))
    (folder / "a.xml").write_bytes(text.encode() if isinstance(text, str) else text)
    account = ImportAccount()
    return rows_of(read_voc(folder, ImageFolder(folder), account, **options), account), account


def test_boxes_are_read_as_written(tmp_path: Path) -> None:
    rows, account = read(tmp_path, voc(box(1, 2, 30, 20), box("3.0", " 4.5 ", 40, 30, name="dog")))
    assert boxes_of(rows) == [("cat", [1, 2, 30, 20]), ("dog", [3, 4.5, 40, 30])]
    assert (rows[0]["images"], rows[0]["width"], rows[0]["height"]) == (["a.png"], 40, 30)
    assert account.damage == {}


def test_counting_from_one_takes_in_the_last_pixel(tmp_path: Path) -> None:
    # Pixels 1..40 and 1..30 are the whole image; pixel 5 alone is 4..5.
    rows, account = read(tmp_path, voc(box(1, 1, 40, 30), box(5, 5, 5, 5, name="dot")), origin=1)
    assert boxes_of(rows) == [("cat", [0, 0, 40, 30]), ("dot", [4, 4, 5, 5])]
    assert account.damage == {}


def test_files_that_seem_to_count_from_one_are_told(tmp_path: Path) -> None:
    boxes = [box(1 + n % 7, 2, 30, 20) for n in range(100)]
    kind = "no box begins at 0, some at 1; add --origin 1 if pixels are counted from 1"
    assert list(read(tmp_path, voc(*boxes))[1].remarks) == [kind]
    assert read(tmp_path, voc(*boxes, box(0, 2, 30, 20)))[1].remarks == {}
    assert read(tmp_path, voc(*boxes), origin=1)[1].remarks == {}


def test_difficult_and_truncated_objects_stay_unless_skipped(tmp_path: Path) -> None:
    marks = "<difficult>{}</difficult><truncated>{}</truncated>"
    text = voc(box(1, 1, 9, 9, marks=marks.format(1, 0)), box(2, 2, 9, 9, marks=marks.format(0, 1)), box(3, 3, 9, 9))
    assert len(boxes_of(read(tmp_path, text)[0])[0][1]) == 3
    rows, account = read(tmp_path, text, skip_difficult=True)
    assert boxes_of(rows) == [("cat", [[2, 2, 9, 9], [3, 3, 9, 9]])]
    assert account.left_out == {"difficult (--skip-difficult)": 1}
    rows, account = read(tmp_path, text, skip_difficult=True, skip_truncated=True)
    assert boxes_of(rows) == [("cat", [3, 3, 9, 9])]


@pytest.mark.parametrize(
    ("text", "kind", "boxes"),
    [
        (voc(box(1, 1, 50, 20)), "box outside its image", [[1, 1, 50, 20]]),
        (voc(box(9, 9, 9, 9)), "box without area", [[9, 9, 9, 9]]),
        (voc(box("nan", 9, 12, 12)), "box without four numbers", [["nan", 9, 12, 12]]),
        (voc(box("", 9, 12, 12)), "box without four numbers", [[None, 9, 12, 12]]),
        (voc(box(1, 1, 9, 9, name="")), "unknown category", [[1, 1, 9, 9]]),
    ],
)
def test_damage_is_told_and_left_for_lint(tmp_path: Path, text: str, kind: str, boxes: list[Any]) -> None:
    rows, account = read(tmp_path, text)
    found = [b if not isinstance(b[0], float) else [*map(int, b)] for _, b in boxes_of(rows)]
    assert [[value or None for value in each] for each in found] == boxes
    assert list(account.damage) == [kind]


def test_an_object_without_a_box_is_left_out_by_name(tmp_path: Path) -> None:
    _, account = read(tmp_path, voc("<object><name>cat</name></object>", box(1, 1, 9, 9)))
    assert (account.annotations_in, account.left_out) == (2, {"no box": 1})


def test_boxes_of_parts_are_not_boxes_of_the_object(tmp_path: Path) -> None:
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part>"
    rows, _ = read(tmp_path, voc(box(5, 5, 9, 9).replace("</object>", f"{part}</object>")))
    assert boxes_of(rows) == [("cat", [5, 5, 9, 9])]


def test_sizes_that_cannot_be_are_unknown(tmp_path: Path) -> None:
    for size in ("<width>0</width><height>0</height>", "", "<width>x</width><height>30</height>"):
        rows, account = read(tmp_path, voc(box(1, 1, 90, 90), size=size))
        assert "width" not in rows[0]
        assert account.damage == {}  # nothing to hold the box against; lint has the image


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<annotation><filename>&b;</filename></annotation>"
)
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]><annotation><filename>&a;</filename></annotation>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "DTDForbidden"),
        (OUTSIDE, "DTDForbidden"),
        ("<annotation>", "no element found"),
        ("", "no element found"),
        ("<html></html>", "the root is <html>"),
        (b"<a>\xff</a>", "not well-formed"),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', "unknown encoding"),
    ],
)
def test_other_files_are_counted_and_never_expanded(tmp_path: Path, text: str | bytes, reason: str) -> None:
    write_png(tmp_path / "b.png", (1, 2, 3), (40, 30))
    (tmp_path / "b.xml").write_text(voc(box(1, 1, 9, 9), filename="b.png"))
    rows, account = read(tmp_path, text)
    assert [row["images"] for row in rows] == [["b.png"]]
    assert account.images_left_out == {"annotation file not read": 1}
    assert reason in account.damage["file that is no VOC annotation"].examples[0]


def test_an_image_is_found_by_the_name_of_the_annotation(tmp_path: Path) -> None:
    rows, account = read(tmp_path, voc(box(1, 1, 9, 9), filename="IMG_0001.jpg"))
    assert rows[0]["images"] == ["a.png"]
    assert account.remarks["image found under another name"].count == 1
    (tmp_path / "c.xml").write_text(voc(box(1, 1, 9, 9), filename="gone.jpg"))
    rows, account = read(tmp_path, voc(box(1, 1, 9, 9)))
    assert [row["images"] for row in rows] == [["a.png"], ["gone.jpg"]]
    assert account.damage["no image file"].count == 1


def test_the_folder_of_images_is_the_sibling(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    assert find_voc_images(tmp_path / "Annotations") == tmp_path / "Annotations"
    (tmp_path / "JPEGImages").mkdir()
    assert find_voc_images(tmp_path / "Annotations") == tmp_path / "JPEGImages"
    with pytest.raises(SourceError, match=r"a folder without .xml files"):
        list(read_voc(tmp_path / "Annotations", ImageFolder(tmp_path), ImportAccount()))
