"""Equal rows in different formats are equal records; a row of no or of two formats is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.findings import Location
from dataprep.formats.reading import FORMATS, detect_formats, read_record
from dataprep.records import MediaRef, Record, Turn

HERE = Location("rows.jsonl", 3)


def to_native(system: str | None, turns: list[tuple[str, str]]) -> dict[str, Any]:
    query, response = turns[-1]
    history = [list(turn) for turn in turns[:-1]]
    return {"system": system, "history": history, "query": query, "response": response}


def to_alpaca(system: str | None, turns: list[tuple[str, str]]) -> dict[str, Any]:
    instruction, line_end, more = turns[-1][0].partition("\n")
    row = {"system": system, "history": [list(turn) for turn in turns[:-1]], "output": turns[-1][1]}
    return row | ({"instruction": instruction, "input": more} if more else {"instruction": instruction + line_end})


def to_chat(name: str, role: str, text: str, roles: tuple[str, str], system: str | None, turns: list[Any]) -> Any:
    pairs = [{role: who, text: said} for turn in turns for who, said in zip(roles, turn, strict=True)]
    return {name: ([] if system is None else [{role: "system", text: system}]) + pairs}


def to_parts(system: str | None, turns: list[tuple[str, str]]) -> dict[str, Any]:
    row = to_chat("messages", "role", "content", ("user", "assistant"), system, turns)
    for message in row["messages"]:
        pieces = message["content"].split("<image>")
        parts: list[dict[str, Any]] = [{"type": "text", "text": pieces[0]}]
        for piece in pieces[1:]:
            parts += [{"type": "image"}, {"type": "text", "text": piece}]
        message["content"] = parts
    return row


def same_meaning(record: Record | None) -> Record:
    """The record without what may differ: format name and JSON paths."""
    assert record is not None
    turns = tuple(Turn(turn.query, turn.response) for turn in record.turns)
    media = {name: tuple(replace(ref, field="") for ref in getattr(record, name)) for name in ("images", "videos")}
    return replace(record, row_format="", turns=turns, **media)


SAID = st.text(st.sampled_from("ab\n 中<>"), max_size=6) | st.sampled_from(["<image>q", "a<image>b<image>", "<bbox>"])


@given(
    system=st.none() | st.just("") | st.just("s"),
    turns=st.lists(st.tuples(SAID, SAID), min_size=1, max_size=3),
    images=st.none() | st.lists(st.sampled_from(["a.png", "b.png"]), max_size=2),
    has_objects=st.booleans(),
)
def test_equal_rows_are_equal_records(
    system: str | None, turns: list[tuple[str, str]], images: list[str] | None, has_objects: bool
) -> None:
    entry = {"caption": "c", "bbox": [1, 2, 3, 4], "bbox_type": "norm_1", "image": 0}
    media = {"images": images, "objects": [entry] if has_objects else None}
    rows = {
        "native": to_native(system, turns),
        "alpaca": to_alpaca(system, turns),
        "messages": to_chat("messages", "role", "content", ("user", "assistant"), system, turns),
        "conversations": to_chat("conversations", "from", "value", ("human", "gpt"), system, turns),
    }
    records = {}
    for name, row in rows.items():
        record, problems = read_record(row | media, HERE)
        assert problems == []
        assert record is not None
        assert record.row_format == name
        records[name] = same_meaning(record)
    records["parts"] = same_meaning(read_record(to_parts(system, turns) | media, HERE)[0])
    columns = {"ref": ["c"], "bbox": [[1, 2, 3, 4]], "bbox_type": "norm1", "image_id": [0]} if has_objects else None
    records["columns"] = same_meaning(read_record(rows["messages"] | media | {"objects": columns}, HERE)[0])
    assert all(record == records["native"] for record in records.values())


def test_formats_have_signs() -> None:
    assert FORMATS == ("native", "alpaca", "messages", "conversations")
    assert detect_formats({"response": None}) == ["native"]
    assert detect_formats({"instruction": "i", "messages": 5}) == ["alpaca", "messages"]
    assert detect_formats({"text": "x"}) == []


@pytest.mark.parametrize(
    ("row", "kind", "message", "help_text"),
    [
        ({"b": 1, "a": 2}, "unknown-format", "no known row format has the fields: a, b", "a row needs query"),
        ({}, "unknown-format", "no known row format has the fields: none", "a row needs query"),
        ({"conversation": []}, "unknown-format", "the fields: conversation", "write conversations: [{from, value}"),
        ({"query": "q", "messages": []}, "mixed-formats", "mixes the formats native and messages", "one format"),
    ],
)
def test_a_row_without_one_format(row: dict[str, Any], kind: str, message: str, help_text: str) -> None:
    record, (problem,) = read_record(row, HERE)
    assert record is None
    assert (problem.kind, problem.field) == (kind, "")
    assert message in problem.message
    assert help_text in (problem.help or "")


def test_the_format_may_be_given() -> None:
    record, problems = read_record({"messages": [], "query": "q", "response": "r"}, HERE, row_format="native")
    assert not problems
    assert record is not None
    assert record.turns == (Turn("q", "r"),)


def test_there_is_a_record_or_a_problem_never_both() -> None:
    assert read_record({"query": 5}, HERE)[0] is None
    record, problems = read_record({"query": "q", "images": "a", "response": "r"}, HERE)
    assert record is not None
    assert problems == []
    assert record.location is HERE
    assert record.images == (MediaRef("image", "a", "images"),)
