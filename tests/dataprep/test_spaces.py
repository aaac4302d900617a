"""The detective: finds every planted space in clean boxes, and says nothing about clean ones, generated or real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataprep import lint
from dataprep.box_readings import FEWEST_BOXES, Boxes
from dataprep.config import LintConfig, RuleConfig
from dataprep.findings import Finding
from dataprep.spaces import FileSpaces, look_into

Box = list[float]
SPACE_RULES = ("G412", "G413", "G414", "G415", "G419", "G420", "G421")
SIZES = [(640, 480), (500, 375), (427, 640), (800, 600), (333, 500), (1024, 683)]


def draw(count: int, *, seed: int = 0, sizes: list[tuple[int, int]] = SIZES) -> list[tuple[Box, tuple[int, int]]]:
    """Boxes as 0..1 with the size of their image; some end at an edge, as boxes of cut-off things do."""
    random = np.random.default_rng(seed)
    drawn = []
    for number in range(count):
        width, height = random.uniform(0.05, 0.6, 2)
        x1, y1 = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
        x2, y2 = x1 + width, y1 + height
        if number % 6 == 0:
            x2 = 1.0
        if number % 7 == 0:
            y2 = 1.0
        drawn.append(([x1, y1, x2, y2], sizes[number % len(sizes)]))
    return drawn


def real(box: Box, w: int, h: int) -> Box:
    return [round(box[0] * w), round(box[1] * h), round(box[2] * w), round(box[3] * h)]


def norm_1(box: Box, w: int, h: int) -> Box:
    return [round(c, 4) for c in box]


def norm_1000(box: Box, w: int, h: int) -> Box:
    return [round(c * 1000) for c in box]


def grid_999(box: Box, w: int, h: int) -> Box:
    return [int(c * 999) for c in box]


def xywh(box: Box, w: int, h: int) -> Box:
    x1, y1, x2, y2 = real(box, w, h)
    return [x1, y1, x2 - x1, y2 - y1]


def xywh_norm_1(box: Box, w: int, h: int) -> Box:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def yolo(box: Box, w: int, h: int) -> Box:
    return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]]


def yxyx(box: Box, w: int, h: int) -> Box:
    x1, y1, x2, y2 = real(box, w, h)
    return [y1, x1, y2, x2]


def norm_1000_twice(box: Box, w: int, h: int) -> Box:
    x1, y1, x2, y2 = norm_1000(box, w, h)
    return [int(x1 / w * 1000), int(y1 / h * 1000), int(x2 / w * 1000), int(y2 / h * 1000)]


def norm_1_twice(box: Box, w: int, h: int) -> Box:
    return [int(box[0] / w * 1000), int(box[1] / h * 1000), int(box[2] / w * 1000), int(box[3] / h * 1000)]


def norm_1_over_size(box: Box, w: int, h: int) -> Box:
    return [box[0] / w, box[1] / h, box[2] / w, box[3] / h]


Writer = Callable[[Box, int, int], Box]


def look(drawn: list[tuple[Box, tuple[int, int]]], write: Writer, bbox_type: str) -> FileSpaces:
    numbers = np.array([write(box, *size) for box, size in drawn], dtype=np.float64)
    widths, heights = (np.array([size[axis] for _, size in drawn], dtype=np.float64) for axis in (0, 1))
    lines = np.arange(1, len(drawn) + 1)
    boxes = Boxes(numbers, widths, heights, np.zeros(len(drawn), dtype=bool), lines, lines, np.zeros_like(lines))
    return look_into("rows.jsonl", bbox_type, boxes, {0: "images"})


PLANTED = [
    (norm_1000, "real", "xyxy", "norm_1000"),
    (norm_1, "real", "xyxy", "norm_1"),
    (real, "norm_1000", "xyxy", "real"),
    (norm_1, "norm_1000", "xyxy", "norm_1"),
    (norm_1000, "norm_1", "xyxy", "norm_1000"),
    (real, "norm_1", "xyxy", "real"),
    (norm_1000_twice, "norm_1000", "xyxy", "norm_1000 twice"),
    (norm_1_twice, "norm_1000", "xyxy", "norm_1 twice"),
    (norm_1_over_size, "norm_1", "xyxy", "norm_1 over size"),
    (xywh, "real", "xywh", "real"),
    (xywh_norm_1, "norm_1", "xywh", "norm_1"),
    (yolo, "norm_1", "cxcywh", "norm_1"),
    (yxyx, "real", "yxyx", "real"),
]


@pytest.mark.parametrize("count", [60, 1000])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("write", "bbox_type", "order", "frame"), PLANTED)
def test_a_planted_space_is_found(write: Writer, bbox_type: str, order: str, frame: str, count: int, seed: int) -> None:
    verdict = look(draw(count, seed=seed), write, bbox_type).whole
    assert verdict is not None
    assert (verdict.found.order, verdict.found.frame) == (order, frame)
    assert verdict.found_fit > 0.97
    assert verdict.confidence > 0.9


@pytest.mark.parametrize("sizes", [SIZES, [(640, 640)], [(1000, 1000)], [(1920, 1080)], [(4000, 3000), (3000, 4000)]])
@pytest.mark.parametrize("count", [FEWEST_BOXES, 60, 1000])
@pytest.mark.parametrize(("write", "bbox_type"), [(real, "real"), (norm_1, "norm_1"), (norm_1000, "norm_1000")])
def test_clean_boxes_are_clean(sizes: list[tuple[int, int]], count: int, write: Writer, bbox_type: str) -> None:
    for seed in range(5):
        spaces = look(draw(count, seed=seed, sizes=sizes), write, bbox_type)
        assert spaces == FileSpaces(path="rows.jsonl", bbox_type=bbox_type, boxes=count)


def test_thousandths_on_large_images_end_at_1000() -> None:
    verdict = look(draw(300, sizes=[(4000, 3000)]), norm_1000, "real").whole
    assert verdict is not None
    assert verdict.found.frame == "norm_1000"
    corner = [([c / 5 for c in box], size) for box, size in draw(300, sizes=[(4000, 3000)])]
    assert look(corner, real, "real").whole is None, "boxes in one corner do not end at 1000"


def test_too_few_boxes_say_nothing() -> None:
    assert look(draw(FEWEST_BOXES - 1), xywh, "real").whole is None


@pytest.mark.parametrize("bbox_type", ["real", "norm_1000"])
def test_boxes_that_overhang_are_no_other_space(bbox_type: str) -> None:
    write = real if bbox_type == "real" else norm_1000
    overhanging = [([b[0], b[1], b[2] + 0.02 * (n % 4 == 0), b[3]], s) for n, (b, s) in enumerate(draw(400))]
    spaces = look(overhanging, write, bbox_type)
    assert (spaces.whole, spaces.mixed, spaces.odd) == (None, {}, [])


def test_single_swapped_corners_are_no_width_and_height() -> None:
    def swap(box: Box, w: int, h: int) -> Box:
        x1, y1, x2, y2 = real(box, w, h)
        return [x2, y1, x1, y2] if x1 % 5 == 0 else [x1, y1, x2, y2]

    assert look(draw(400), swap, "real").whole is None


def test_single_rows_that_disagree_are_named() -> None:
    drawn = draw(200)
    writers = {17: norm_1, 90: norm_1000}
    numbers = {n: writers.get(n, real)(box, *size) for n, (box, size) in enumerate(drawn)}
    drawn[90] = ([0.7, 0.7, 0.99, 0.99], (640, 480))
    numbers[90] = norm_1000(*drawn[90][:1], *drawn[90][1])
    order = iter(range(200))
    spaces = look(drawn, lambda box, w, h: numbers[next(order)], "real")
    assert spaces.whole is None
    assert [(odd.line, odd.found.frame) for odd in spaces.odd] == [(18, "norm_1"), (91, "norm_1000")]


def test_two_spaces_in_one_file() -> None:
    order = iter(range(400))
    spaces = look(draw(400), lambda *box: (norm_1 if next(order) % 3 == 0 else real)(*box), "real")
    assert spaces.whole is None
    assert {h.frame: count for h, (count, _) in spaces.mixed.items()} == {"real": 266, "norm_1": 134}
    assert not spaces.odd


def test_thousandths_that_end_at_999() -> None:
    assert look(draw(200), grid_999, "norm_1000").grid_999 >= 5
    assert look(draw(200), norm_1000, "norm_1000").grid_999 == 0
    assert look(draw(200), grid_999, "norm_1000").whole is None


def test_large_files_are_judged_by_a_sample_and_searched_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (640, 480)
    name = save(tmp_path / "a" / "a.jpg", size)
    rows = [(name, real(b, *size), "real") for b, _ in draw(230, sizes=[size])]
    rows[33] = rows[101] = (name, [0.1, 0.2, 0.3, 0.4], "real")
    monkeypatch.setattr("dataprep.spaces.MOST_JUDGED", 50)
    findings = lint_boxes(tmp_path, rows)
    assert [(f.code, f.location.line) for f in findings] == [("G420", 34), ("G420", 102)]
    assert "(230 in all)" in findings[0].message
    (finding,) = lint_boxes(tmp_path, [(name, norm_1000(b, *size), "real") for b, _ in draw(230, sizes=[size])])
    assert finding.code == "G412"


def lint_boxes(folder: Path, rows: list[tuple[str, Box, str]], **options: Any) -> list[Finding]:
    path = folder / "rows.jsonl"
    with path.open("w") as file:
        for image, box, bbox_type in rows:
            entry = {"caption": "x", "bbox": box, "bbox_type": bbox_type, "image": 0}
            row = {"query": "find <ref-object>", "response": "<bbox>", "images": [image], "objects": [entry]}
            file.write(json.dumps(row) + "\n")
    return lint([str(path)], LintConfig(rules=RuleConfig(select=SPACE_RULES), **options)).findings


def save(path: Path, size: tuple[int, int], orientation: int = 1) -> str:
    path.parent.mkdir(exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size).save(path, "JPEG", exif=exif)
    return f"{path.parent.name}/{path.name}"


def test_rules_speak_about_the_file(tmp_path: Path) -> None:
    names = {size: save(tmp_path / "a" / f"{size[0]}.jpg", size) for size in SIZES}
    drawn = draw(60)
    found = {}
    for write in (real, norm_1000, xywh, yxyx):
        findings = lint_boxes(tmp_path, [(names[s], write(b, *s), "real") for b, s in drawn])
        found[write.__name__] = [(f.code, f.location.line, f.severity.value) for f in findings]
    assert found == {
        "real": [],
        "norm_1000": [("G412", 0, "error")],
        "xywh": [("G413", 0, "error")],
        "yxyx": [("G414", 0, "error")],
    }
    (finding,) = lint_boxes(tmp_path, [(names[s], grid_999(b, *s), "norm_1000") for b, s in drawn])
    assert finding.code == "G419"
    rows = [(names[s], real(b, *s), "real") for b, s in drawn]
    (finding,) = lint_boxes(tmp_path, [*rows, (names[SIZES[0]], [0.1, 0.2, 0.3, 0.4], "real")])
    assert (finding.code, finding.location.line) == ("G420", 61)
    assert "box [0.1, 0.2, 0.3, 0.4] fits norm_1 (0..1)" in finding.message


def test_a_folder_of_its_own_mind(tmp_path: Path) -> None:
    rows = [(save(tmp_path / "a" / f"{s[0]}.jpg", s), real(b, *s), "real") for b, s in draw(300)]
    rows += [(save(tmp_path / "b" / f"{s[0]}.jpg", s), norm_1000(b, *s), "real") for b, s in draw(30)]
    (finding,) = lint_boxes(tmp_path, rows)
    assert finding.code == "G421"
    assert "30 boxes on images in b are called real, but 100% of them fit norm_1000" in finding.message
    assert "first at line 30" in finding.message


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_boxes_of_the_other_rotation(tmp_path: Path, exif: str) -> None:
    sizes = [(480, 640), (375, 500)]  # upright
    names = {s: save(tmp_path / "a" / f"{s[0]}.jpg", (s[1], s[0]), orientation=6) for s in sizes}
    upright = [(names[s], real(b, *s), "real") for b, s in draw(40, sizes=sizes)]
    stored = [(names[s], real(b, s[1], s[0]), "real") for b, s in draw(40, sizes=sizes)]
    right, wrong = (stored, upright) if exif == "ignore" else (upright, stored)
    assert not lint_boxes(tmp_path, right, exif=exif)
    (finding,) = lint_boxes(tmp_path, wrong, exif=exif)
    assert (finding.code, "40 boxes lie on images that EXIF turns" in finding.message) == ("G415", True)


def test_real_files_are_clean_and_planted_ones_are_found(real_rows: Path, tmp_path: Path) -> None:
    rules = RuleConfig(select=SPACE_RULES)
    config = LintConfig(media_root=real_rows.parent, rules=rules)
    files = sorted(str(p) for p in real_rows.glob("rows_*.json*"))
    assert [(f.code, str(f.location)) for f in lint(files, config).findings] == []
    planted = [("real", "norm_1000"), ("norm_1000", "real"), ("norm_1", "real"), ("norm_1", "norm_1000")]
    for source, name in [*planted, ("real", "norm_1")]:
        text = (real_rows / f"rows_grounding_{source}.jsonl").read_text()
        path = tmp_path / f"{source}_{name}.jsonl"
        path.write_text(text.replace(f'\\"bbox_type\\": \\"{source}\\"', f'\\"bbox_type\\": \\"{name}\\"'))
        (finding,) = lint([str(path)], config).findings
        assert finding.code == "G412", (source, name)
        assert f"fit {'pixels (real)' if source == 'real' else source}" in finding.message


def test_whatever_the_numbers_are_nothing_breaks() -> None:
    random = np.random.default_rng(5)
    odd = np.array([0, -1, 1, 0.5, 999, 1000, 1e-30, -1e38, 3e38, 2, 640, 480], dtype=np.float64)
    for number in range(300):
        count = int(random.integers(0, 80))
        sizes = random.choice([np.nan, 1, 640, 65535], (2, count)) if number % 3 else np.full((2, count), np.nan)
        numbers = random.choice(odd, (count, 4)) if number % 2 else random.normal(300, 300, (count, 4))
        folders, lines = random.integers(0, 3, count), np.arange(count)
        boxes = Boxes(numbers, *sizes, random.random(count) < 0.3, lines, random.integers(0, 9, count), folders)
        for bbox_type in ("real", "norm_1", "norm_1000"):
            assert look_into("a", bbox_type, boxes, {0: "a", 1: "b", 2: "c"}).boxes == count


def test_images_of_unknown_size_leave_what_numbers_alone_say() -> None:
    gone = (float("nan"), float("nan"))
    drawn = draw(60)
    unknown: Any = [(box, gone) for box, _ in drawn]
    order = iter(drawn)
    assert look(unknown, lambda box, w, h: real(box, *next(order)[1]), "real").whole is None
    verdict = look(unknown, norm_1, "real").whole
    assert verdict is not None
    assert verdict.found.frame == "norm_1"
    assert look(unknown, norm_1000, "norm_1000").whole is None
