"""The options file: found upwards, checked against its schema, paths relative to itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dataprep.config import FAIL_ON, FORMATS, LintConfig, ReportConfig, RuleConfig
from dataprep.config_files import check_table, find_table
from dataprep.errors import ConfigError
from schemas import load_schema

SCHEMA: Any = load_schema("lint.config")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_table(inner).values == {} or find_table(inner).path is not None
    write(tmp_path / "dataprep.toml", "[lint]\nlevel = 1\n")
    assert find_table(inner).values == {"level": 1}
    write(tmp_path / "a" / "pyproject.toml", "[project]\nname = 'x'\n")
    assert find_table(inner).values == {"level": 1}, "a pyproject.toml without the table is passed by"
    write(tmp_path / "a" / "pyproject.toml", "[tool.dataprep.lint]\nignore = ['T2']\n")
    table = find_table(inner)
    assert (table.path, table.values) == (tmp_path / "a" / "pyproject.toml", {"ignore": ("T2",)})
    write(tmp_path / "a" / "dataprep.toml", "[lint]\n")
    assert find_table(inner).path == tmp_path / "a" / "dataprep.toml"
    assert find_table(inner, isolated=True).values == {}


def test_a_named_file_is_read_in_place_of_looking_for_one(tmp_path: Path) -> None:
    write(tmp_path / "dataprep.toml", "[lint]\nlevel = 1\n")
    other = write(tmp_path / "ci" / "strict.toml", "[lint]\nfail_on = 'warning'\nbaseline = 'base.json'\n")
    values = find_table(tmp_path, config=other).values
    assert values == {"fail_on": "warning", "baseline": tmp_path / "ci" / "base.json"}


def test_every_option_becomes_a_field(tmp_path: Path) -> None:
    text = """
        [lint]
        select = ["P", "G402"]
        extend-select = ["T2"]
        ignore = ["image-file-missing"]
        severity = { G402 = "warning", T2 = "info" }
        per-file-ignores = { "old_*.jsonl" = ["G402", "T2"] }
        for = "internvl2-8b"
        model = "models/a"
        media-root = "."
        val = ["val.jsonl"]
        max-length = 100
        allow-urls = true
    """
    values = find_table(tmp_path, config=write(tmp_path / "dataprep.toml", text)).values
    assert values == {
        "select": ("P", "G402"),
        "extend_select": ("T2",),
        "ignore": ("image-file-missing",),
        "severities": (("G402", "warning"), ("T2", "info")),
        "per_file_ignores": (("old_*.jsonl", ("G402", "T2")),),
        "model_type": "internvl2-8b",
        "model": tmp_path / "models" / "a",
        "media_root": tmp_path,
        "val": (str(tmp_path / "val.jsonl"),),
        "max_length": 100,
        "allow_urls": True,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lint]\nselcet = []", "unknown option 'selcet'; did you mean 'select'"),
        ("[lint]\nmax_lenght = 5", "unknown option 'max-lenght'; did you mean 'max-length'"),
        ("[lint]\nzzz = 5", "unknown option 'zzz'; the options are select"),
        ("[lint]\nlevel = 7", "level is 7, expected a whole number from 0 to 4"),
        ("[lint]\nlevel = true", "level is True, expected a whole number"),
        ("[lint]\nmax-findings = 0", "max-findings is 0, expected a whole number from 1"),
        ("[lint]\nselect = 'P'", "select is 'P', expected a list of texts"),
        ("[lint]\nselect = [5]", "expected a list of texts"),
        ("[lint]\nfail-on = 'sometimes'", "expected error or warning or info or never"),
        ("[lint]\nexit-zero = 1", "expected true or false"),
        ("[lint]\nfor = 1", "expected text"),
        ("[lint]\nseverity = {G402 = 'bad'}", "expected error or warning or info for 'G402'"),
        ("[lint]\nseverity = 5", "expected a table"),
        ("[lint]\nper-file-ignores = {a = 'b'}", "expected a list of texts for 'a'"),
        ("[lnit]\n", r"unknown table 'lnit'; the options of lint stand in \[lint\]"),
        ("lint = 5", "lint must be a table"),
        ("[lint", "no valid TOML"),
    ],
)
def test_what_is_no_option_is_refused_with_the_nearest_name(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "dataprep.toml", text)
    with pytest.raises(ConfigError, match=message) as caught:
        find_table(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_named_file_must_be_there_and_have_the_table(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        find_table(tmp_path, config=tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match=r"has no \[tool.dataprep.lint\] table"):
        find_table(tmp_path, config=write(tmp_path / "pyproject.toml", "[tool.dataprep]\n"))


def test_the_schema_names_every_option_that_makes_sense_in_a_file() -> None:
    fields = {field.name for config in (LintConfig, ReportConfig, RuleConfig) for field in dataclasses.fields(config)}
    names = {"for": "model_type", "severity": "severities"}
    keys = {names.get(key, key.replace("-", "_")) for key in SCHEMA["properties"]}
    assert keys == fields - {"rules", "output", "sample", "contact_sheet", "media_roots"}
    assert tuple(SCHEMA["properties"]["format"]["enum"]) == FORMATS
    assert tuple(SCHEMA["properties"]["fail-on"]["enum"]) == FAIL_ON


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-2, 6), st.sampled_from(["error", "P", "text", "swift", "last"]), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), VALUES, max_size=3))
def test_the_quick_check_agrees_with_the_schema(table: dict[str, Any]) -> None:
    try:
        check_table(table, Path("dataprep.toml"))
        is_accepted = True
    except ConfigError:
        is_accepted = False
    # JSON Schema takes 1.0 for a whole number, TOML and we do not.
    has_floats = any(isinstance(value, float) for value in table.values())
    assert is_accepted == Draft202012Validator(SCHEMA).is_valid(table) or has_floats
