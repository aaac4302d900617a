"""The schema files: valid 2020-12, named after themselves, and strict where rows are concerned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import schemas
from dataprep.formats.reading import FORMATS, KNOWN_FIELDS
from schemas import list_schemas, load_schema

ROW_SCHEMAS = [f"row.{name}" for name in FORMATS]
OBJECT = {"caption": "cat", "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0}


def accepts(name: str, value: Any) -> bool:
    registry: Registry[Any] = Registry()
    for part in ("object", "objects.columns"):
        registry = registry.with_resource(f"dataprep:{part}", Resource.from_contents(load_schema(part)))
    return Draft202012Validator(load_schema(name), registry=registry).is_valid(value)


def test_all_files_are_listed() -> None:
    folder = Path(schemas.__file__).parent
    assert list_schemas() == sorted(path.name.removesuffix(".schema.json") for path in folder.glob("*.schema.json"))
    assert {"object", "manifest", "report", *ROW_SCHEMAS} <= set(list_schemas())


@pytest.mark.parametrize("name", list_schemas())
def test_schema_is_valid_and_named(name: str) -> None:
    schema = load_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"dataprep:{name}"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", FORMATS)
def test_known_fields_are_the_properties_of_the_schema(name: str) -> None:
    properties = load_schema(f"row.{name}")["properties"]
    assert isinstance(properties, dict)
    assert set(KNOWN_FIELDS[name]) == set(properties)


@pytest.mark.parametrize(
    "value",
    [
        OBJECT,
        OBJECT | {"caption": None},
        OBJECT | {"bbox": [[1, 2, 3, 4]]},
        OBJECT | {"image": 3.0},
        OBJECT | {"color": "red"},
        {key: value for key, value in OBJECT.items() if key != "caption"},
    ],
)
def test_objects_that_fit(value: Any) -> None:
    assert accepts("object", value)


@pytest.mark.parametrize(
    "value",
    [
        OBJECT | {"caption": 5},
        OBJECT | {"bbox": []},
        OBJECT | {"bbox": [1, 2, 3]},
        OBJECT | {"bbox": [1, 2, 3, 4, 5]},
        OBJECT | {"bbox": [1, 2, 3, True]},
        OBJECT | {"bbox": [[1, 2, 3, 4], [1]]},
        OBJECT | {"bbox_type": "pixel"},
        OBJECT | {"image": -1},
        OBJECT | {"image": 0.5},
        OBJECT | {"image": None},
        ["cat", [1, 2, 3, 4]],
        *(
            {key: value for key, value in OBJECT.items() if key != missing}
            for missing in ("bbox", "bbox_type", "image")
        ),
    ],
)
def test_objects_that_do_not_fit(value: Any) -> None:
    assert not accepts("object", value)


def test_rows_refer_to_the_schema_of_objects() -> None:
    for name in ("row.native", "row.alpaca"):
        row = {"query": "q", "instruction": "q", "response": "r", "output": "r"}
        assert accepts(name, row | {"objects": [OBJECT]})
        assert not accepts(name, row | {"objects": [OBJECT | {"bbox": 5}]})
