"""Thumbnails show the image that a finding is about with the row's boxes on it, and nothing where there is none."""

from __future__ import annotations

import base64
import io
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dataprep.config import LintConfig
from dataprep.findings import Location
from dataprep.reports.thumbnails import SIDE_PX, draw_thumbnails
from tests.dataprep.conversions import data_uri, encode_png, text_row, write_png, write_rows
from tests.dataprep.reports.making import make_finding

WHITE, RED = (255, 255, 255), (230, 30, 60)


def draw(folder: Path, row: dict[str, Any] | str, field: str, **options: Any) -> Image.Image | None:
    source = write_rows(folder / "rows.jsonl", [text_row(1), row])
    pictures = draw_thumbnails([make_finding(2, field=field, path=source)], LintConfig(**options))
    if not pictures:
        return None
    (((place, name), picture),) = pictures.items()
    assert (place, name) == (Location(source, 2), field)
    return Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))).convert("RGB")


def is_near(found: Any, wanted: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 70 for a, b in zip(found, wanted, strict=True))


def box_row(*boxes: list[float], bbox_type: str = "real", images: tuple[str, ...] = ("a.png",)) -> dict[str, Any]:
    entries = [{"caption": "c", "bbox": box, "bbox_type": bbox_type, "image": 0} for box in boxes]
    return {"query": "find", "response": "<bbox>", "images": list(images), "objects": entries}


@pytest.mark.parametrize(
    ("box", "bbox_type"), [([200, 100, 600, 300], "real"), ([0.25, 0.25, 0.75, 0.75], "norm_1"),
                           ([250, 250, 750, 750], "norm_1000")],
)  # fmt: skip
def test_boxes_are_drawn_where_they_are(tmp_path: Path, box: list[float], bbox_type: str) -> None:
    write_png(tmp_path / "a.png", WHITE, (800, 400))
    picture = draw(tmp_path, box_row(box, bbox_type=bbox_type), "objects[0].bbox")
    assert picture is not None
    assert picture.size == (SIDE_PX, SIDE_PX // 2)
    assert is_near(picture.getpixel((80, 80)), RED)
    assert is_near(picture.getpixel((160, 40)), RED)
    assert is_near(picture.getpixel((160, 80)), WHITE)


def test_the_box_that_a_finding_is_about_stands_out(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", WHITE, (200, 200))
    picture = draw(tmp_path, box_row([20, 20, 80, 80], [120, 120, 180, 180]), "objects[1].bbox")
    assert picture is not None
    assert is_near(picture.getpixel((120, 150)), RED)
    assert not is_near(picture.getpixel((20, 50)), RED)


def test_a_box_that_leaves_the_image_is_drawn_into_a_margin(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", WHITE, (100, 100))
    picture = draw(tmp_path, box_row([50, 50, 900, 80]), "objects[0].bbox")
    assert picture is not None
    assert picture.size == (124, 124)
    assert is_near(picture.getpixel((118, 62)), RED)


def test_the_image_that_is_meant_is_shown(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", WHITE)
    write_png(tmp_path / "b.png", RED)
    row = {"query": "<image><image>", "response": "r", "images": ["a.png", "b.png"]}
    first, second, whole = (draw(tmp_path, row, field) for field in ("images[0]", "images[1]", ""))
    assert first is not None
    assert second is not None
    assert whole is not None
    assert is_near(first.getpixel((5, 5)), WHITE)
    assert is_near(second.getpixel((5, 5)), RED)
    assert is_near(whole.getpixel((5, 5)), WHITE)


def test_inline_images_are_shown(tmp_path: Path) -> None:
    row = {"query": "<image>", "response": "r", "images": [data_uri(encode_png(RED))]}
    picture = draw(tmp_path, row, "images[0]")
    assert picture is not None
    assert is_near(picture.getpixel((5, 5)), RED)


def test_there_is_no_picture_of_what_cannot_be_shown(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", WHITE)
    noise = Image.frombytes("L", (200, 200), random.Random(1).randbytes(40_000))
    noise.save(tmp_path / "spoilt.png")
    data = (tmp_path / "spoilt.png").read_bytes()
    (tmp_path / "spoilt.png").write_bytes(data[:20_000] + bytes(1000) + data[21_000:])
    assert draw(tmp_path, "{cut", "") is None
    assert draw(tmp_path, {"odd": 1}, "") is None
    assert draw(tmp_path, text_row(1), "") is None
    assert draw(tmp_path, box_row([1, 2, 3, 4], images=("gone.png",)), "objects[0].bbox") is None
    assert draw(tmp_path, box_row([1, 2, 3, 4], images=("spoilt.png",)), "objects[0].bbox") is None
    assert draw(tmp_path, box_row([1, 2, 3, 4]), "images[7]") is None
    assert draw_thumbnails([make_finding(1, path=str(tmp_path / "gone.jsonl"))], LintConfig()) == {}
    assert draw_thumbnails([make_finding(0, path=str(tmp_path / "rows.jsonl"))], LintConfig()) == {}


def test_a_box_of_an_unknown_type_is_not_drawn(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", WHITE, (100, 100))
    row = {"messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "r"}]}
    row |= {"images": ["a.png"], "objects": {"ref": ["c"], "bbox": [[10, 10, 90, 90]], "bbox_type": "odd"}}
    picture = draw(tmp_path, row, "")
    assert picture is None or is_near(picture.getpixel((10, 50)), WHITE)
