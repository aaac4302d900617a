"""The quick checks accept nothing that the schemas refuse, and problems say which field holds which value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from dataprep.schema import (
    ShapeProblem,
    check_object,
    check_object_quickly,
    check_row,
    is_accepted_fast,
    name_type,
    shorten,
)
from schemas import load_schema

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
TEXT = st.none() | st.text(max_size=5)
MEDIA = TEXT | st.lists(TEXT, max_size=3)
HISTORY = st.none() | st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=3), max_size=2)
NUMBER = st.integers(-5, 2000) | st.floats(allow_nan=False, allow_infinity=False)
BOX = st.lists(NUMBER, min_size=3, max_size=5)


def one_in_four_wrong(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 3).flatmap(lambda roll: ANY if roll == 0 else good)


OBJECT = st.fixed_dictionaries(
    {},
    optional={
        "caption": one_in_four_wrong(TEXT),
        "bbox": one_in_four_wrong(BOX | st.lists(BOX, max_size=2)),
        "bbox_type": one_in_four_wrong(st.sampled_from(["real", "norm_1", "norm_1000", "pixel"])),
        "image": one_in_four_wrong(st.integers(-1, 3) | st.floats(0, 3)),
        "other": ANY,
    },
)
COMMON = {
    "images": one_in_four_wrong(MEDIA),
    "videos": one_in_four_wrong(MEDIA),
    "system": one_in_four_wrong(TEXT),
    "history": one_in_four_wrong(HISTORY),
    "objects": one_in_four_wrong(st.none() | st.text(max_size=5) | st.lists(OBJECT, max_size=2)),
    "id": ANY,
}
ROWS = {
    "native": st.fixed_dictionaries(
        {}, optional=COMMON | {"query": one_in_four_wrong(TEXT), "response": one_in_four_wrong(TEXT)}
    ),
    "alpaca": st.fixed_dictionaries(
        {},
        optional=COMMON
        | {
            "instruction": one_in_four_wrong(st.text(max_size=5)),
            "input": one_in_four_wrong(TEXT),
            "output": one_in_four_wrong(TEXT),
        },
    ),
}


def validator(name: str) -> Draft202012Validator:
    registry: Registry[Any] = Registry()
    for part in ("object", "objects.columns"):
        registry = registry.with_resource(f"dataprep:{part}", Resource.from_contents(load_schema(part)))
    return Draft202012Validator(load_schema(name), registry=registry)


VALIDATORS = {name: validator(name) for name in ("row.native", "row.alpaca", "object")}


@pytest.mark.parametrize("row_format", ROWS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_quick_and_full_checks_of_rows_agree(row_format: str, data: st.DataObject) -> None:
    row = data.draw(ROWS[row_format])
    is_valid = VALIDATORS[f"row.{row_format}"].is_valid(row)
    if is_accepted_fast(row, row_format):
        assert is_valid
    problems = check_row(row, row_format)
    assert (not problems) is is_valid
    assert all(problem.message for problem in problems)


@settings(max_examples=300, deadline=None)
@given(OBJECT | ANY)
def test_quick_and_full_checks_of_objects_agree(value: Any) -> None:
    problems = check_object(value, "objects[0]")
    assert check_object_quickly(value, "objects[0]") == problems
    assert (not problems) is VALIDATORS["object"].is_valid(value)
    assert all(problem.field.startswith("objects[0]") for problem in problems)


def test_the_quick_check_takes_ordinary_rows() -> None:
    row = {"query": "q", "response": "r", "images": ["a"], "history": [["q", "r"]], "objects": "[]", "id": 5}
    assert is_accepted_fast(row, "native")
    assert is_accepted_fast({"instruction": "i", "output": None}, "alpaca")
    assert not is_accepted_fast({"history": []}, "native")
    assert not is_accepted_fast({"messages": []}, "messages")


PLAIN = {"caption": "c", "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0}


@pytest.mark.parametrize(
    ("row", "kind", "field", "message"),
    [
        ({"query": 5}, "wrong-shape", "query", "query is a number, expected text or null"),
        ({"images": [1]}, "wrong-shape", "images[0]", "images[0] is a number, expected text or null"),
        ({"images": {}}, "wrong-shape", "images", "images is an object, expected text or a list or null"),
        ({"system": False}, "wrong-shape", "system", "system is true or false, expected text or null"),
        ({"history": [["q"]]}, "history-pair", "history[0]", 'history[0] has 1 entry, expected 2: ["q"]'),
        ({"history": [["q", 5]]}, "history-pair", "history[0][1]", "history[0][1] is a number, expected text"),
        ({"history": {}}, "history-pair", "history", "history is an object, expected a list or null"),
        ({"objects": 5}, "object-shape", "objects", "objects is a number, expected a list or text or null"),
        ({"objects": [5]}, "object-shape", "objects[0]", "objects[0] is a number, expected an object"),
        (
            {"objects": [PLAIN, PLAIN | {"bbox": [1]}]},
            "object-shape", "objects[1].bbox", "objects[1].bbox has 1 entry, expected 4: [1]",
        ),
        (
            {"objects": [PLAIN | {"bbox_type": "px"}]},
            "bbox-type", "objects[0].bbox_type",
            'objects[0].bbox_type is "px", expected one of real, norm_1, norm_1000',
        ),
        (
            {"objects": [PLAIN | {"image": -1}]},
            "image-index", "objects[0].image", "objects[0].image: -1 is less than the minimum of 0",
        ),
        (
            {"objects": [{"bbox": [1, 2, 3, 4], "image": 0}]},
            "object-shape", "objects[0]", "objects[0] lacks 'bbox_type'",
        ),
    ],
)  # fmt: skip
def test_problems_name_field_and_value(row: dict[str, object], kind: str, field: str, message: str) -> None:
    assert check_row({"response": "r"} | row, "native") == [ShapeProblem(kind, field, message)]


@pytest.mark.parametrize(
    ("bbox", "field", "message"),
    [
        ([], "bbox", "bbox has 0 entries, expected 4: []"),
        ([[]], "bbox[0]", "bbox[0] has 0 entries, expected 4: []"),
        ([1, 2, 3, None], "bbox[3]", "bbox[3] is null, expected a number"),
        ([[1, 2, 3, 4], 5], "bbox[1]", "bbox[1] is a number, expected a list"),
        ("1,2,3,4", "bbox", "bbox is text, expected a list"),
    ],
)
def test_the_branch_that_a_box_comes_nearest_to_is_explained(bbox: object, field: str, message: str) -> None:
    found = check_object(PLAIN | {"bbox": bbox}, "o")
    assert [(problem.field, problem.message) for problem in found] == [(f"o.{field}", f"o.{message}")]


def test_all_problems_of_a_row_are_reported() -> None:
    row = {"query": 1, "response": [], "objects": [5, PLAIN | {"image": None}]}
    assert [problem.field for problem in check_row(row, "native")] == [
        "query", "response", "objects[0]", "objects[1].image"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("x", "text"),
        (1, "a number"),
        (1.5, "a number"),
        (True, "true or false"),
        ([], "a list"),
        ({}, "an object"),
        (None, "null"),
    ],
)
def test_types_have_names(value: object, name: str) -> None:
    assert name_type(value) == name


def test_long_values_are_cut_and_huge_numbers_are_no_crash() -> None:
    assert shorten(["ab", 1]) == '["ab",1]'
    assert shorten("x" * 100) == f'"{"x" * 76}...'
    assert len(shorten("x" * 100)) == 80
    assert shorten(10**30) == "1" + "0" * 30
