"""Native and alpaca rows as records."""

from __future__ import annotations

import json

import pytest

from dataprep.formats.query_response import read_alpaca, read_native
from dataprep.records import GroundedObject, MediaRef, Turn


def test_a_row_with_everything() -> None:
    entry = {"caption": "cat", "bbox": [1, 2.5, 3, 4], "bbox_type": "real", "image": 1}
    draft = read_native(
        {
            "system": "s",
            "history": [["q1", "r1"]],
            "query": "q2",
            "response": "r2",
            "images": [" a.png", "b.png "],
            "videos": ["v.mp4"],
            "objects": [entry],
        }
    )
    assert not draft.problems
    assert draft.system == "s"
    assert draft.turns == [Turn("q1", "r1", "history[0][0]", "history[0][1]"), Turn("q2", "r2", "query", "response")]
    assert draft.images == [MediaRef("image", "a.png", "images[0]"), MediaRef("image", "b.png", "images[1]")]
    assert draft.videos == [MediaRef("video", "v.mp4", "videos[0]")]
    assert draft.objects == (GroundedObject("cat", ((1, 2.5, 3, 4),), "real", 1, "objects[0]"),)


@pytest.mark.parametrize(
    ("row", "system"), [({}, None), ({"system": None}, None), ({"system": ""}, ""), ({"system": "s"}, "s")]
)
def test_an_empty_system_prompt_is_not_a_missing_one(row: dict[str, object], system: str | None) -> None:
    assert read_native({"query": "q", "response": "r"} | row).system == system


@pytest.mark.parametrize(
    "history",
    [
        [["q1", "r1"], ["q2", "r2"]],
        '[["q1", "r1"], ["q2", "r2"]]',
        "[['q1', 'r1'], ('q2', 'r2')]",
        " [\n[ 'q1','r1' ], [\"q2\", 'r2'] ] ",
    ],
)
def test_history_may_be_a_list_or_the_text_of_one(history: object) -> None:
    draft = read_native({"query": "q", "response": "r", "history": history})
    assert not draft.problems
    assert [(turn.query, turn.response) for turn in draft.turns] == [("q1", "r1"), ("q2", "r2"), ("q", "r")]


@pytest.mark.parametrize("history", [None, [], "", "  ", "[]", "null"])
def test_no_history(history: object) -> None:
    draft = read_native({"query": "q", "response": "r", "history": history})
    assert (len(draft.turns), draft.problems) == (1, [])


@pytest.mark.parametrize(
    "history",
    [
        "text",
        "5",
        "{}",
        "[['q', 'r']",
        "[{[]: 1}]",
        "[[1j]]",
        "[b'q']",
        "['\\ud83d']",
        "[1e999]",
        "-" * 5000,
        "(" * 5000,
    ],
)
def test_history_that_is_no_list_of_pairs_is_a_problem(history: str) -> None:
    problems = read_native({"query": "q", "response": "r", "history": history}).problems
    assert {problem.kind for problem in problems} == {"history-pair"}
    assert problems[0].field.startswith("history")


def test_a_text_in_history_may_hold_a_backslash_that_python_warns_of() -> None:
    draft = read_native({"query": "q", "response": "r", "history": r"[['\d', 'r']]"})
    assert draft.turns[0].query == r"\d"


def test_missing_texts_are_empty() -> None:
    assert read_native({"response": "r", "query": None}).turns == [Turn("", "r")]
    assert read_native({"query": "q"}).turns == [Turn("q", "")]


def test_objects_may_be_the_text_of_a_list() -> None:
    entries = [{"caption": None, "bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "bbox_type": "norm_1000", "image": 0.0}]
    rows = [{"query": "q", "response": "r", "objects": value} for value in (entries, json.dumps(entries))]
    first, second = (read_native(row).objects for row in rows)
    assert first == second == (GroundedObject(None, ((1, 2, 3, 4), (5, 6, 7, 8)), "norm_1000", 0, "objects[0]"),)


@pytest.mark.parametrize("objects", [None, "", "null", " "])
def test_no_objects(objects: object) -> None:
    draft = read_native({"query": "q", "response": "r", "objects": objects})
    assert (draft.objects, draft.problems) == (None, [])


def test_inline_media_of_history_come_before_those_of_the_query() -> None:
    draft = read_native(
        {"history": [["<img>a.png</img>q1", "r1"]], "query": "x<img> b.png </img><video>v.mp4</video>", "response": "r"}
    )
    assert [turn.query for turn in draft.turns] == ["<image>q1", "x<image><video>"]
    assert draft.images == [
        MediaRef("image", "a.png", "history[0][0]", inline=True),
        MediaRef("image", "b.png", "query", inline=True),
    ]
    assert draft.videos == [MediaRef("video", "v.mp4", "query", inline=True)]


def test_media_in_answers_are_left_for_the_rules() -> None:
    draft = read_native({"query": "q", "response": "<img>a.png</img>"})
    assert draft.images == []
    assert draft.turns[0].response == "<img>a.png</img>"


@pytest.mark.parametrize(
    ("row", "query"),
    [
        ({"instruction": "i"}, "i"),
        ({"instruction": "i", "input": ""}, "i"),
        ({"instruction": "i", "input": None}, "i"),
        ({"instruction": "i", "input": "x\ny"}, "i\nx\ny"),
    ],
)
def test_alpaca_input_follows_the_instruction(row: dict[str, object], query: str) -> None:
    draft = read_alpaca(row | {"output": "o", "history": [["q1", "r1"]], "images": "a.png"})
    assert draft.turns[-1] == Turn(query, "o", "instruction", "output")
    assert draft.turns[0].query == "q1"
    assert draft.images == [MediaRef("image", "a.png", "images")]


def test_alpaca_needs_an_instruction() -> None:
    assert [problem.message for problem in read_alpaca({"output": "o"}).problems] == ["the row lacks 'instruction'"]
