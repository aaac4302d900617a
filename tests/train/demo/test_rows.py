"""Rows: every kind occurs, and the three coordinate types say the same."""

from __future__ import annotations

import json
import random

import pytest

from dataprep.grounding import BoxCodec
from train.demo.rows import (
    BBOX_TYPES,
    COLOUR,
    COUNT,
    PICK,
    SHAPE,
    WHAT,
    WHERE,
    held_out_rows,
    make_object,
    paired_row,
    text_rows,
    training_row,
    vocabulary,
)
from train.demo.scenes import CANVAS_PX, make_scene

SCENES = [make_scene(0, f"rows/{number}") for number in range(80)]
RNG = random.Random(0)
ROWS = [training_row(RNG, scene, "images/a.png") for scene in SCENES]


def test_coordinate_types_give_the_model_the_same_text() -> None:
    codec = BoxCodec()
    for scene in SCENES:
        for shape in scene.shapes:
            objects = [make_object(shape, bbox_type) for bbox_type in BBOX_TYPES]
            texts = {
                codec.format_boxes([codec.to_model(thing["bbox"], thing["bbox_type"], CANVAS_PX, CANVAS_PX)])
                for thing in objects
            }
            assert len(texts) == 1


def test_every_form_of_row_occurs() -> None:
    texts = [json.dumps(row) for row in ROWS]
    for part in (
        "Describe",
        "Find every",
        "How many",
        "What colour",
        "What shape",
        "<bbox>",
        "<ref-object>",
        "history",
    ):
        assert any(part in text for text in texts), part
    objects = [row["objects"] for row in ROWS if "objects" in row]
    assert {type(value) for value in objects} == {str, list}
    things = [thing for value in objects for thing in (json.loads(value) if isinstance(value, str) else value)]
    assert {thing["bbox_type"] for thing in things} == set(BBOX_TYPES)


def test_rows_with_a_history_put_their_picture_first() -> None:
    for row in ROWS:
        if "history" in row:
            assert row["history"][0][0].startswith("<image>")
            assert "<image>" not in row["query"]


def test_words_are_never_asked_about_one_shape_twice() -> None:
    for row in ROWS:
        queries = [turn[0].removeprefix("<image>") for turn in [*row.get("history", []), (row["query"],)]]
        in_words = [query for query in queries if query.startswith(("What colour", "What shape"))]
        assert len(set(in_words)) == len(in_words)
        assert len({query.split()[1] for query in in_words}) <= 1


@pytest.mark.parametrize(
    ("num_shapes", "kinds"), [(1, (COLOUR, SHAPE, COUNT, WHERE, WHAT)), (2, (PICK, COUNT, WHERE, WHAT))]
)
def test_held_out_rows_are_one_question_of_each_kind(num_shapes: int, kinds: tuple[str, ...]) -> None:
    scene = next(scene for scene in SCENES if len(scene.shapes) == num_shapes)
    rows = held_out_rows(random.Random(0), scene, "images/a.png")
    assert tuple(kind for kind, _ in rows) == kinds
    for kind, row in rows:
        assert "history" not in row
        assert ("objects" in row) == (kind in (WHERE, WHAT))


def test_a_paired_row_has_a_turn_and_a_tag_for_each_picture() -> None:
    row = paired_row(random.Random(0), SCENES[:2], ["a.png", "b.png"])
    assert row["images"] == ["a.png", "b.png"]
    assert [query.count("<image>") for query in (row["history"][0][0], row["query"])] == [1, 1]


def test_text_rows_have_no_picture() -> None:
    assert all(set(row) == {"query", "response"} for row in text_rows())


def test_the_vocabulary_has_the_words_of_all_rows() -> None:
    text = " ".join(vocabulary(SCENES))
    for word in ("colour", "shape", "Where", "Describe", "every", "assistant", "oval", "purple", "[["):
        assert word in text
