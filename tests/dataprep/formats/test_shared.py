"""Media, objects and roles, as every format reads them."""

from __future__ import annotations

import pytest

from dataprep.formats.shared import Draft, Message, pair_messages, read_object
from dataprep.records import GroundedObject, MediaRef, Turn

PLAIN = {"caption": "c", "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0}


@pytest.mark.parametrize(
    ("value", "refs"),
    [
        (None, []),
        ([], []),
        (" a,b.png ", [("a,b.png", "images")]),
        (["a", " b "], [("a", "images[0]"), ("b", "images[1]")]),
        (["", None, "a"], [("", "images[0]"), ("", "images[1]"), ("a", "images[2]")]),
        ("", [("", "images")]),
    ],
)
def test_media_fields(value: object, refs: list[tuple[str, str]]) -> None:
    draft = Draft()
    draft.add_media(value, "image", "images")
    assert draft.images == [MediaRef("image", source, field) for source, field in refs]


def test_kinds_of_media_are_kept_apart() -> None:
    draft = Draft()
    draft.add_media("v", "video", "videos")
    draft.add_turn(Turn("<video>w</video><img>i</img>", "r"))
    assert [ref.source for ref in draft.videos] == ["v", "w"]
    assert [ref.source for ref in draft.images] == ["i"]


def test_one_box_and_many_are_read_alike() -> None:
    one = read_object(PLAIN, "o")
    many = read_object(PLAIN | {"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]]}, "o")
    assert one == GroundedObject("c", ((1, 2, 3, 4),), "real", 0, "o")
    assert many.boxes == ((1, 2, 3, 4), (5, 6, 7, 8))


def test_numbers_stay_as_they_are_written() -> None:
    box = read_object(PLAIN | {"bbox": [1, 2.0, 3.5, 1000]}, "o").boxes[0]
    assert [repr(number) for number in box] == ["1", "2.0", "3.5", "1000"]


@pytest.mark.parametrize(
    "text", ["[{", "nope", '[{"a": 1, "a": 2}]', "[NaN]", '["\\ud800"]', "[" * 300 + "]" * 300, "[" * 9999]
)
def test_objects_as_text_are_parsed_strictly(text: str) -> None:
    draft = Draft()
    draft.add_objects(text)
    assert draft.objects is None
    assert [(problem.kind, problem.field) for problem in draft.problems] == [("object-shape", "objects")]
    assert "objects is text that is not JSON" in draft.problems[0].message


def test_every_bad_entry_is_named() -> None:
    draft = Draft()
    draft.add_objects([PLAIN, 5, PLAIN | {"image": -1}])
    assert draft.objects is None
    assert [problem.field for problem in draft.problems] == ["objects[1]", "objects[2].image"]


def test_messages_are_paired() -> None:
    draft = Draft(system="of the row")
    roles = ["user", "assistant", "user", "assistant"]
    pair_messages(draft, [Message(role, f"{role}{index}", f"m[{index}]") for index, role in enumerate(roles)])
    assert draft.system == "of the row"
    assert draft.turns == [
        Turn("user0", "assistant1", "m[0]", "m[1]"),
        Turn("user2", "assistant3", "m[2]", "m[3]"),
    ]


def test_no_messages_are_a_problem() -> None:
    draft = Draft()
    pair_messages(draft, [])
    assert [problem.kind for problem in draft.problems] == ["role-order"]
