"""The manifest: exact round trip, one schema, and no change that goes unseen."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from dataprep.errors import ShardFormatError, ShardHashError, ShardVersionError
from dataprep.shards.manifest import LengthStats, Manifest, length_stats, read_manifest, write_manifest
from schemas import load_schema
from tests.factories import make_shards


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = make_shards(tmp_path_factory.mktemp("shards") / "s")
    return (path / "manifest.json").read_text(encoding="utf-8")


def resealed(text: str, **changes: Any) -> str:
    """Change members and write the checksum that fits them; None removes a member."""
    members = json.loads(text) | changes
    members = {name: value for name, value in members.items() if value is not REMOVED}
    del members["checksum"]
    canonical = json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return json.dumps(members | {"checksum": hashlib.sha256(canonical.encode()).hexdigest()})


REMOVED = object()


def test_text_and_manifest_are_one_to_one(text: str, tmp_path: Path) -> None:
    manifest = Manifest.from_json(text)
    assert manifest.to_json() == text
    assert json.loads(text)["checksum"] == manifest.checksum
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


def test_names_beyond_ascii_stay_readable(text: str) -> None:
    manifest = dataclasses.replace(Manifest.from_json(text), system="Sei h\u00f6flich \u4f60")
    assert "Sei h\u00f6flich \u4f60" in manifest.to_json()
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_every_changed_value_is_noticed(text: str) -> None:
    for old, new in (('"max_length": 4096', '"max_length": 4097'), ('"rows": 3', '"rows": 2'), ('"swift"', '"swifd"')):
        assert old in text
        with pytest.raises(ShardHashError, match="was edited or damaged"):
            Manifest.from_json(text.replace(old, new, 1))
    with pytest.raises(ShardHashError, match="the checksum is None"):
        Manifest.from_json(json.dumps(json.loads(text) | {"checksum": None}))


@pytest.mark.parametrize("version", [2, 0, "1", None, True])
def test_the_version_is_looked_at_before_anything_else(version: object) -> None:
    with pytest.raises(ShardVersionError, match="this release reads 1"):
        Manifest.from_json(json.dumps({"format_version": version, "new": "things"}))


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ShardFormatError, match=r"m\.json: not"):
        Manifest.from_json(text, "m.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_num": "12"}, "max_num is '12', expected an integer"),
        ({"max_num": True}, "max_num is True, expected an integer"),
        ({"system": 3}, "system is 3, expected a string"),
        ({"sources": {}}, "sources is {}, expected a list"),
        ({"sources": [{"path": "a"}]}, r"sources\[0\] lacks 'sha256'"),
        ({"splits": {"train": {"rows": 1.5}}}, "splits.train lacks 'tokens'"),
        ({"splits": []}, r"splits is \[\], expected an object"),
        ({"lengths": "x" * 99}, r"lengths is 'x+\.\.\., expected an object"),
        ({"new": 1}, "has 'new', which this release does not know"),
        ({"template": REMOVED}, "lacks 'template'"),
        ({"loss_mask": "all"}, "the loss mask is 'all', expected one of answers, last-answer"),
        ({"media_mode": "both"}, "the media mode is 'both', expected one of embed, link"),
        ({"files": {}}, "files lists"),
        ({"media_shards": [{"file": "../x", "rows": 1, "bytes": 1, "sha256": ""}]}, "shard name '../x' is not of"),
        ({"media_shards": [{"file": "media-00000.arrow", "rows": -1, "bytes": 1, "sha256": ""}]}, "has -1 rows"),
    ],
)
def test_wrong_members_are_named(text: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ShardFormatError, match=message):
        Manifest.from_json(resealed(text, **changes))


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"\xff")
    with pytest.raises(ShardFormatError, match=r"manifest\.json: cannot be read"):
        read_manifest(tmp_path)


def test_the_schema_takes_what_is_written(text: str) -> None:
    schema = load_schema("manifest")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(text))


def test_schema_and_dataclasses_have_the_same_members() -> None:
    schema: Any = load_schema("manifest")
    assert_same_members(schema, Manifest, schema, extra={"checksum"})


def assert_same_members(root: Any, kind: type, schema: Any, extra: frozenset[str] | set[str] = frozenset()) -> None:
    hints = typing.get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}
    optional = {field.name for field in dataclasses.fields(kind) if field.metadata.get("optional")}
    assert set(schema["properties"]) == set(schema["required"]) | optional == names | extra
    assert not optional & set(schema["required"])
    assert schema["additionalProperties"] is False
    for name in names:
        inner = [hints[name], *typing.get_args(hints[name])]
        (nested,) = [hint for hint in inner if dataclasses.is_dataclass(hint)] or [None]
        if nested is not None and name != "files":
            property_schema = schema["properties"][name]
            of_items = property_schema.get("items", property_schema)
            of_members = of_items if "properties" in of_items else of_items["additionalProperties"]
            assert_same_members(root, nested, of_members)


def test_length_statistics_are_nearest_rank() -> None:
    assert length_stats([]) == LengthStats(min=0, mean=0.0, p50=0, p90=0, p99=0, max=0)
    assert length_stats([7]) == LengthStats(min=7, mean=7.0, p50=7, p90=7, p99=7, max=7)
    values = np.arange(1, 1001, dtype=np.int32)[::-1]
    assert length_stats(values) == LengthStats(min=1, mean=500.5, p50=500, p90=900, p99=990, max=1000)
    assert length_stats([1, 1, 2]).mean == 1.33
