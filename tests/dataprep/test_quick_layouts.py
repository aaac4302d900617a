"""The quick way to a layout gives the layout of the full way, whatever the row."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from dataprep import quick_layouts
from dataprep.catalog import MODEL_TYPES, get_model_type
from dataprep.findings import Location
from dataprep.formats.reading import read_record
from dataprep.layouts import EncodeSettings, lay_out
from dataprep.quick_layouts import LayoutMaker
from dataprep.records import Record
from dataprep.tiling import ImageSize
from dataprep.tokenization import TileSettings

SETTINGS = EncodeSettings(model_type=get_model_type("internvl2-8b"), tiles=TileSettings(448, 256))
SIZES = (ImageSize(448, 448), ImageSize(896, 448), ImageSize(640, 480), ImageSize(333, 1024))


def record_of(row: dict[str, Any]) -> Record:
    record, problems = read_record(row, Location("rows.jsonl", 1))
    assert record is not None, problems
    return record


def drawn_row(rng: random.Random) -> tuple[dict[str, Any], list[ImageSize]]:
    """Return a row that the rules pass, and the sizes of its images."""
    num_turns, num_images = rng.randint(1, 3), rng.randint(0, 3)
    queries = [rng.choice(("", "q", " what? ", "a < b", "你好\n")) for _ in range(num_turns)]
    answers = [rng.choice(("r", "a < b", " ", "<ref>x</ref>")) for _ in range(num_turns)]
    for _ in range(num_images if rng.random() < 0.8 else rng.randint(0, num_images)):  # else the full way adds tags
        at = rng.randrange(num_turns)
        queries[at] += rng.choice(("", "\n", "see ")) + "<image>" + rng.choice(("", "\n", " then "))
    objects = []
    for number in range(rng.randint(0, 3) if num_images else 0):
        for tag in ("<ref-object>", "<bbox>"):
            texts = rng.choice((queries, answers))
            texts[rng.randrange(num_turns)] += tag
        kind = rng.choice(("real", "norm_1", "norm_1000"))
        box = [0.1, 0.25, 0.5, 0.75] if kind == "norm_1" else [10, 20, 200.5, 300]
        boxes = [box, box] if rng.random() < 0.2 else box
        entry = {"caption": f"thing {number}", "bbox": boxes, "bbox_type": kind, "image": rng.randrange(num_images)}
        objects.append(entry)
    row: dict[str, Any] = {"query": queries[-1], "response": answers[-1], "images": ["a.jpg"] * num_images}
    if num_turns > 1:
        row["history"] = [list(turn) for turn in zip(queries[:-1], answers[:-1], strict=True)]
    if objects:
        row["objects"] = objects
    if rng.random() < 0.3:
        row["system"] = rng.choice(("", "be brief"))
    return row, [rng.choice(SIZES) for _ in range(num_images)]


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_drawn_rows_get_the_same_layout(name: str) -> None:
    rng = random.Random(name)
    for changes in (
        {},
        {"system": "s", "box_style": "internvl", "max_num": 4},
        {"system": "", "missing_image_tag": "first"},
    ):
        settings = replace(SETTINGS, model_type=get_model_type(name), **changes)
        maker = LayoutMaker(settings)
        for _ in range(60):
            row, sizes = drawn_row(rng)
            assert maker.make(record_of(row), sizes) == lay_out(record_of(row), settings, image_sizes=sizes), row


def test_an_empty_answer_of_an_earlier_turn_parts_nothing() -> None:
    record = record_of({"query": "b", "response": "c", "history": [["a", "x"]]})
    record = replace(record, turns=(replace(record.turns[0], response=""), record.turns[1]))
    assert LayoutMaker(SETTINGS).make(record, []) == lay_out(record, SETTINGS, image_sizes=[])


def test_an_object_tag_of_a_row_without_objects_is_text() -> None:
    record = record_of({"query": "what is <bbox>?", "response": "an HTML <bbox>"})
    layout = LayoutMaker(SETTINGS).make(record, [])
    assert layout == lay_out(record, SETTINGS, image_sizes=[])
    assert layout.response == "an HTML <bbox>"


def test_an_image_in_an_answer_goes_the_full_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(quick_layouts, "lay_out", lambda *arguments, **options: seen.append(arguments))
    LayoutMaker(SETTINGS).make(record_of({"query": "draw", "response": "<image>", "images": ["a.jpg"]}), SIZES[:1])
    LayoutMaker(SETTINGS).make(record_of({"query": "<video>", "response": "r", "videos": ["a.mp4"]}), [])
    assert len(seen) == 2


def test_few_sizes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_layouts, "_MOST_KNOWN", 2)
    maker, record = LayoutMaker(SETTINGS), record_of({"query": "<image>q", "response": "r", "images": ["a.jpg"]})
    for side in range(100, 110):
        size = ImageSize(side, side)
        assert maker.make(record, [size]) == lay_out(record, SETTINGS, image_sizes=[size])
    assert len(maker._placed) <= 2
