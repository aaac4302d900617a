"""OpenAI-style messages: roles, content as text or parts, media beside or inside them."""

from __future__ import annotations

from typing import Any

import pytest

from dataprep.formats.messages import read_messages
from dataprep.formats.shared import Draft
from dataprep.records import MediaRef, Turn


def row_of(content: Any, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "a"}], **fields}


def read(content: Any, **fields: Any) -> Draft:
    return read_messages(row_of(content, **fields))


def test_turns_and_system() -> None:
    draft = read_messages(
        {
            "system": "of the row",
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "q1"},
                {"role": "assistant", "content": "a1"},
                {"role": "human", "content": "q2"},
                {"role": "gpt", "content": "a2"},
            ],
        }
    )
    assert draft.system == "s"
    assert draft.turns == [
        Turn("q1", "a1", "messages[1].content", "messages[2].content"),
        Turn("q2", "a2", "messages[3].content", "messages[4].content"),
    ]


def test_a_system_field_is_taken_where_no_message_says_otherwise() -> None:
    assert read("q", system="s").system == "s"
    assert read("q", system="").system == ""
    assert read("q").system is None


def test_media_in_the_system_prompt_do_not_move_into_a_query() -> None:
    row = row_of("q")
    row["messages"].insert(0, {"role": "system", "content": [{"type": "image", "image": "a.png"}]})
    problems = read_messages(row).problems
    assert [problem.field for problem in problems] == ["messages[0].content[0]"]
    assert "in the system prompt" in problems[0].message


def test_media_and_objects_beside_the_messages_are_kept() -> None:
    entry = {"caption": "c", "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0}
    draft = read("<image><video><bbox>", images="a.png", videos=["v.mp4"], objects=[entry])
    assert [ref.source for ref in (*draft.images, *draft.videos)] == ["a.png", "v.mp4"]
    assert draft.objects is not None
    assert draft.objects[0].caption == "c"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "image": "a.png"},
        {"type": "image_url", "image_url": "a.png"},
        {"type": "image_url", "image_url": {"url": "a.png", "detail": "high"}},
        {"type": "image_url", "image": "a.png"},
        {"type": "image", "image": {"url": "a.png", "image_wh": [8, 8]}},
        {"type": "image", "url": "a.png"},
        {"type": "image", "path": "a.png"},
        {"type": "image_url", "value": "a.png"},
    ],
)
def test_an_image_part_brings_its_image(part: dict[str, Any]) -> None:
    draft = read([{"type": "text", "text": "see "}, part, {"type": "text", "text": " there"}])
    assert not draft.problems
    assert draft.turns[0].query == "see <image> there"
    key = next(name for name in part if name != "type")
    assert draft.images == [MediaRef("image", "a.png", f"messages[0].content[1].{key}")]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "video", "video": "v.mp4"},
        {"type": "video", "path": "v.mp4"},
        {"type": "video_url", "video_url": {"url": "v.mp4"}},
    ],
)
def test_a_video_part_brings_its_video(part: dict[str, Any]) -> None:
    draft = read([part, {"type": "text", "text": "q"}])
    assert draft.turns[0].query == "<video>q"
    assert [ref.source for ref in draft.videos] == ["v.mp4"]
    assert draft.images == []


def test_a_part_without_a_source_stands_for_the_next_listed_image() -> None:
    draft = read([{"type": "image"}, {"type": "text", "text": "q"}, {"type": "image"}], images=["a.png", "b.png"])
    assert not draft.problems
    assert draft.turns[0].query == "<image>q<image>"
    assert [ref.source for ref in draft.images] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("part", "fields", "field"),
    [
        ({"type": "image", "image": "b.png"}, {"images": ["a.png"]}, "images"),
        ({"type": "video", "video": "b.mp4"}, {"videos": "a.mp4"}, "videos"),
    ],
)
def test_media_both_listed_and_in_parts_are_refused(part: dict[str, Any], fields: dict[str, Any], field: str) -> None:
    problem = read([{"type": "text", "text": "x"}, part], **fields).problems[0]
    assert (problem.kind, problem.field) == ("wrong-shape", "messages[0].content[1]")
    assert f"the row lists {field} too" in problem.message
    assert read([part], **{"images" if field == "videos" else "videos": ["x"]}).problems == []


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (["user", "user", "assistant"], "messages[1].content is from the user, expected the assistant"),
        (["assistant"], "messages[0].content is from the assistant, expected the user"),
        (["system", "system", "user", "assistant"], "messages[1].content is from the system, expected the user"),
        (["user", "assistant", "user"], "the last message must be the assistant's answer"),
        (["user"], "the last message must be the assistant's answer"),
        (["system"], "the last message must be the assistant's answer"),
    ],
)
def test_roles_out_of_order_are_one_problem_and_no_turn(roles: list[str], message: str) -> None:
    draft = read_messages({"messages": [{"role": role, "content": "x"} for role in roles]})
    assert [(problem.kind, problem.message) for problem in draft.problems] == [("role-order", message)]
    assert draft.turns == []


@pytest.mark.parametrize(
    "content", [None, 5, [5], [{"type": "audio"}], [{"type": "text"}], [{"type": "image_url", "image_url": {}}], [{}]]
)
def test_content_of_the_wrong_shape(content: Any) -> None:
    problems = read(content).problems
    assert [problem.kind for problem in problems] == ["wrong-shape"]
    assert problems[0].field.startswith("messages[0].content")


def test_the_text_of_a_part_may_be_its_value() -> None:
    assert read([{"type": "text", "value": "q"}, {"type": "text", "text": "?", "value": "!"}]).turns[0].query == "q?"


def test_empty_content_lists_are_empty_texts() -> None:
    assert read([]).turns[0].query == ""
