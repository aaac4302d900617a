"""The contact sheet: boxes where they belong, both readings where the detective disagrees, bounded, deterministic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataprep import lint
from dataprep.config import LintConfig
from dataprep.errors import ConfigError
from dataprep.reports.contact_sheet import _DECLARED, _FOUND, draw_contact_sheet

SIZE = (400, 200)
CELL = 300


def write_rows(folder: Path, boxes: list[list[int]], *, name: str = "rows.jsonl", orientation: int = 1) -> str:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", SIZE, (128, 128, 128)).save(folder / "a.jpg", exif=exif)
    with (folder / name).open("w") as file:
        for number, box in enumerate(boxes):
            entry = {"caption": "x", "bbox": box, "bbox_type": "real", "image": 0}
            row = {"query": f"{number}: <ref-object>", "response": "<bbox>", "images": ["a.jpg"], "objects": [entry]}
            file.write(json.dumps(row) + "\n")
    return str(folder / name)


def draw(source: str, sheet: Path, exif: str = "ignore") -> int:
    config = LintConfig(contact_sheet=sheet, exif=exif)
    return draw_contact_sheet(lint([source], config), config, sheet)


def colours_in(sheet: Path, cell: int, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """Smallest x, y and largest x, y of a colour in a cell of the first row of cells; None if it is not there."""
    with Image.open(sheet) as image:
        pixels = np.asarray(image.convert("RGB"))[56 : 56 + CELL, cell * CELL : (cell + 1) * CELL]
    ys, xs = np.nonzero((pixels == colour).all(axis=2))
    return (int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())) if len(xs) else None


def test_a_box_is_drawn_where_it_is(tmp_path: Path) -> None:
    source = write_rows(tmp_path, [[100, 50, 300, 150]])
    assert draw(source, tmp_path / "sheet.png") == 1
    # The image is 272 px wide in its cell, 136 high, and begins at (14, 82).
    assert colours_in(tmp_path / "sheet.png", 0, _DECLARED) == (82, 116, 218, 184)
    assert colours_in(tmp_path / "sheet.png", 0, _FOUND) is None


def test_both_readings_stand_side_by_side(tmp_path: Path) -> None:
    boxes = [[200 + n, 100, 50, 40 + n % 50] for n in range(40)]  # x, y, width, height
    assert draw(write_rows(tmp_path, boxes), tmp_path / "sheet.png") == 16
    assert colours_in(tmp_path / "sheet.png", 0, _DECLARED) == (48, 109, 150, 150)
    assert colours_in(tmp_path / "sheet.png", 1, _FOUND) == (150, 150, 184, 177)


def test_the_upright_image_is_drawn_upright(tmp_path: Path) -> None:
    boxes = [[10, 250, 150, 390 + n % 10] for n in range(20)]  # on 200 x 400
    assert draw(write_rows(tmp_path, boxes, orientation=6), tmp_path / "sheet.png") == 16
    found = colours_in(tmp_path / "sheet.png", 1, _FOUND)
    assert found is not None
    assert found[3] - found[1] == round(140 * 272 / 400), "taller than the stored image would allow"


def test_the_sheet_is_bounded_and_always_the_same(tmp_path: Path) -> None:
    source = write_rows(tmp_path, [[n % 100, 5, 150, 90] for n in range(500)])
    for name in ("one.png", "two.png"):
        assert draw(source, tmp_path / name) == 8
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as sheet:
        assert sheet.size == (1200, 700)


def test_boxes_that_leave_the_image_stay_in_their_cell(tmp_path: Path) -> None:
    draw(write_rows(tmp_path, [[300, 150, 90000, 70000]]), tmp_path / "sheet.png")
    found = colours_in(tmp_path / "sheet.png", 0, _DECLARED)
    assert found is not None
    assert found[2:] == (297, 297)


def test_without_a_usable_box_nothing_is_written(tmp_path: Path) -> None:
    source = write_rows(tmp_path, [[1, 2, 3, 4]])
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert draw(source, tmp_path / "sheet.png") == 0
    (tmp_path / "text.jsonl").write_text('{"query": "q", "response": "r"}\n')
    assert draw(str(tmp_path / "text.jsonl"), tmp_path / "sheet.png") == 0
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize("name", ["sheet.pdf", "sheet"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="contact-sheet"):
        LintConfig(contact_sheet=Path(name))
