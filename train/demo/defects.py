"""Rows with one planted mistake each, and the rule that must find it.

Each defect starts from a healthy row about one picture and does what people's exports do. `plant` gives the
line as it stands in the file, since one of them is no longer JSON.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from train.demo.rows import Json, make_object
from train.demo.scenes import CANVAS_PX, Scene


@dataclass(frozen=True, slots=True)
class Defect:
    """One planted mistake: the code of its rule, what was done in words, and how the line is made."""

    code: str
    what: str
    spoil: Callable[[Json, Json], str]


def plant(defect: Defect, scene: Scene, image: str) -> str:
    """Return the line of a data file that carries `defect`."""
    thing = make_object(scene.shapes[0], "real")
    row: Json = {"query": "Where is <ref-object>?", "response": "<bbox>", "images": [image], "objects": [thing]}
    return defect.spoil(row, thing)


def _missing_file(row: Json, thing: Json) -> str:
    return json.dumps(row | {"images": ["images/lost.png"]})


def _extra_tag(row: Json, thing: Json) -> str:
    return json.dumps({"query": "<image><image>How many shapes are there?", "response": "2", "images": row["images"]})


def _swapped_corners(row: Json, thing: Json) -> str:
    x1, y1, x2, y2 = thing["bbox"]
    return json.dumps(row | {"objects": [thing | {"bbox": [x2, y2, x1, y1]}]})


def _outside(row: Json, thing: Json) -> str:
    x1, y1, _, y2 = thing["bbox"]
    return json.dumps(row | {"objects": [thing | {"bbox": [x1, y1, CANVAS_PX + 40, y2]}]})


def _no_answer(row: Json, thing: Json) -> str:
    return json.dumps({"query": "How many shapes are there?", "images": row["images"]})


def _unknown_type(row: Json, thing: Json) -> str:
    return json.dumps(row | {"objects": [thing | {"bbox_type": "pixels"}]})


def _cut_line(row: Json, thing: Json) -> str:
    return json.dumps(row)[:-20]


def _wrong_index(row: Json, thing: Json) -> str:
    return json.dumps(row | {"objects": [thing | {"image": 1}]})


def _missing_object(row: Json, thing: Json) -> str:
    return json.dumps(row | {"response": "<bbox> and <bbox>"})


DEFECTS: tuple[Defect, ...] = (
    Defect("M301", "an image that was never copied", _missing_file),
    Defect("T201", "two image tags for one image", _extra_tag),
    Defect("G403", "corners of a box in the wrong order", _swapped_corners),
    Defect("G402", "a box that leaves the picture", _outside),
    Defect("S101", "a question without an answer", _no_answer),
    Defect("G401", "a coordinate type that does not exist", _unknown_type),
    Defect("P001", "a line cut off in the middle", _cut_line),
    Defect("G405", "a box on an image that the row does not have", _wrong_index),
    Defect("G406", "two placeholders for one box", _missing_object),
)
