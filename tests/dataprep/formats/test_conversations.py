"""Conversations as ShareGPT, LLaVA and InternVL write them."""

from __future__ import annotations

from typing import Any

import pytest

from dataprep.formats.conversations import read_conversations
from dataprep.records import GroundedObject, MediaRef, Turn


def row_of(*entries: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return {"conversations": [{"from": role, "value": value} for role, value in entries], **fields}


PAIR = (("human", "<image>\nq"), ("gpt", "a"))


def test_human_and_gpt_are_user_and_assistant() -> None:
    draft = read_conversations(
        row_of(("system", "s"), ("human", "q"), ("gpt", "a"), ("user", "q2"), ("assistant", "a2"))
    )
    assert not draft.problems
    assert draft.system == "s"
    assert draft.turns == [
        Turn("q", "a", "conversations[1].value", "conversations[2].value"),
        Turn("q2", "a2", "conversations[3].value", "conversations[4].value"),
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"image": "a.png"}, "image"),
        ({"image": ["a.png"]}, "image[0]"),
        ({"images": ["a.png"]}, "images[0]"),
        ({"images": "a.png", "image": None}, "images"),
        ({"images": [], "image": "a.png"}, "image"),
    ],
)
def test_image_may_stand_for_images(fields: dict[str, Any], field: str) -> None:
    draft = read_conversations(row_of(*PAIR, **fields))
    assert not draft.problems
    assert draft.images == [MediaRef("image", "a.png", field)]


def test_video_may_stand_for_videos() -> None:
    assert read_conversations(row_of(*PAIR, video="v.mp4")).videos == [MediaRef("video", "v.mp4", "video")]


@pytest.mark.parametrize("kind", ["image", "video"])
def test_both_names_at_once_are_refused(kind: str) -> None:
    problem = read_conversations(row_of(*PAIR, **{kind: "a", f"{kind}s": ["b"]})).problems[0]
    assert (problem.kind, problem.field) == ("wrong-shape", kind)
    assert problem.message == f"the row has both {kind} and {kind}s"


def test_objects_may_be_columns() -> None:
    objects = {"ref": ["cat", "dog"], "bbox": [[1, 2, 3, 4], [0.5, 1, 2, 3]], "image_id": [1, 0]}
    draft = read_conversations(row_of(*PAIR, images=["a", "b"], objects=objects))
    assert draft.objects == (
        GroundedObject("cat", ((1, 2, 3, 4),), "real", 1, "objects[0]"),
        GroundedObject("dog", ((0.5, 1, 2, 3),), "real", 0, "objects[1]"),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [(None, "real"), ("real", "real"), ("norm1", "norm_1"), ("norm_1", "norm_1"), ("norm1000", "norm_1000")],
)
def test_columns_may_name_the_type_of_their_boxes(written: str, meant: str) -> None:
    draft = read_conversations(row_of(*PAIR, image="a", objects={"bbox": [[0, 0, 1, 1]], "bbox_type": written}))
    assert draft.objects == (GroundedObject(None, ((0, 0, 1, 1),), meant, 0, "objects[0]"),)


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ({"bbox": [], "image_id": [0]}, "objects has 0 bbox and 1 image_id entries"),
        ({"bbox": [[1, 2, 3, 4]], "image_id": [0, 0]}, "objects has 1 bbox and 2 image_id entries"),
    ],
)
def test_every_box_needs_its_image(objects: dict[str, Any], message: str) -> None:
    problems = read_conversations(row_of(*PAIR, image="a", objects=objects)).problems
    assert [(problem.kind, problem.message) for problem in problems] == [("object-shape", message)]


@pytest.mark.parametrize("objects", [{"ref": ["a"]}, {"bbox": [[1, 2]]}, {"bbox": [[0, 0, 1, 1]], "bbox_type": "px"}])
def test_columns_of_the_wrong_shape(objects: dict[str, Any]) -> None:
    problems = read_conversations(row_of(*PAIR, image="a", objects=objects)).problems
    assert problems
    assert all(problem.field.startswith("objects") for problem in problems)


@pytest.mark.parametrize("entry", [("human", None), ("human", ["q"]), ("tool", "q"), (None, "q")])
def test_entries_of_the_wrong_shape(entry: tuple[Any, Any]) -> None:
    problems = read_conversations(row_of(entry, ("gpt", "a"))).problems
    assert [problem.kind for problem in problems] == ["wrong-shape"]
    assert problems[0].field.startswith("conversations[0]")
