"""Every rule against its own rows: ``cases/CODE.yaml`` holds rows that must pass and rows that must not.

A case is a ``row`` (or the ``text`` or ``hex`` of one), ``files`` to make beside it and ``options``. ``a.png`` (40x30)
and ``b.png`` (20x20) are always there. A failing row names the finding's ``field`` and parts of its ``message``, and
in ``also`` every other code that it raises: nothing else may be said about it.
"""

from __future__ import annotations

import json
import shutil
import struct
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from dataprep.catalog import get_model_type
from dataprep.encode import Encoder, make_encoder
from dataprep.findings import Finding, Location
from dataprep.media.index import MediaIndex
from dataprep.rules.base import Rule, RuleContext
from dataprep.rules.runner import FOR_CONVERSION, UP_TO_MEDIA, RowChecker
from dataprep.rules.table import RULES
from dataprep.sources import RawRow

CASES_FOLDER = Path(__file__).parent / "cases"
GOLDENS = Path(__file__).parents[2] / "fixtures" / "goldens"
CASE_KEYS = {"row", "text", "hex", "nested", "bom", "ends_file", "files", "options", "field", "message", "also"}


def read_cases(code: str) -> dict[str, list[dict[str, Any]]]:
    path = CASES_FOLDER / f"{code}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}


ROW_RULES = [code for code, rule in RULES.items() if issubclass(rule, Rule)]
CASES = [
    pytest.param(code, verdict, case, id=f"{code}-{verdict}-{number}")
    for code in ROW_RULES
    for verdict in ("pass", "fail")
    for number, case in enumerate(read_cases(code).get(verdict, []))
]


@cache
def encoder(model_type: str) -> Encoder:
    return make_encoder(model_type, GOLDENS / "tokenizer_bos")


def write_file(path: Path, recipe: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match recipe:
        case {"png": [width, height]}:
            Image.new("RGB", (width, height), (200, 60, 20)).save(path, "PNG")
        case {"jpeg": [width, height]}:
            exif = Image.Exif()
            exif[0x0112] = recipe.get("exif", 1)
            Image.new("RGB", (width, height)).save(path, "JPEG", exif=exif)
        case {"claims": [width, height]}:
            path.write_bytes(b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0" + b"," + bytes(20) + b";")
        case {"cut": count}:
            Image.new("RGB", (40, 30)).save(path, "PNG")
            path.write_bytes(path.read_bytes()[:count])
        case {"text": text}:
            path.write_text(text)
        case {"golden": name}:
            shutil.copy(GOLDENS / name, path)
        case {"link": target}:
            path.symlink_to(target)
        case _:
            raise AssertionError(f"no recipe: {recipe}")


def raw_row(case: dict[str, Any]) -> RawRow:
    if "nested" in case:
        text = b'{"query": "q", "response": "r", "x": ' + b"[" * case["nested"] + b"]" * case["nested"] + b"}"
    elif "hex" in case:
        text = bytes.fromhex(case["hex"])
    else:
        text = (case["text"] if "text" in case else json.dumps(case["row"])).encode()
    location = Location("rows.jsonl", 7)
    return RawRow(location, text, starts_with_bom=case.get("bom", False), ends_file=case.get("ends_file", False))


def run_case(case: dict[str, Any], folder: Path) -> list[Finding]:
    root = folder / "root"
    files = {"a.png": {"png": [40, 30]}, "b.png": {"png": [20, 20]}, "../outside.png": {"png": [8, 8]}}
    for name, recipe in (files | case.get("files", {})).items():
        write_file(root / name, recipe)
    options = dict(case.get("options", {}))
    model = options.pop("for", None)
    media = MediaIndex(root, allow_urls=options.pop("allow_urls", False))
    needs_tokens = model is not None and "max_length" in options
    checker = RowChecker(
        RuleContext(model_type=get_model_type(model) if model else None, **options),
        media=media,
        levels=FOR_CONVERSION if needs_tokens else UP_TO_MEDIA,
        encoder=encoder(model) if needs_tokens else None,
    )
    return checker.check(raw_row(case)).findings


@pytest.mark.parametrize(("code", "verdict", "case"), CASES)
def test_case(code: str, verdict: str, case: dict[str, Any], tmp_path: Path) -> None:
    assert case.keys() <= CASE_KEYS, "a misspelt key would test nothing"
    (tmp_path / "root").mkdir()
    findings = run_case(case, tmp_path)
    found = [finding for finding in findings if finding.code == code]
    if verdict == "pass":
        assert not found
        return
    assert {finding.code for finding in findings} == {code, *case.get("also", [])}
    assert case.get("field", "") in [finding.field for finding in found]
    finding = next(finding for finding in found if finding.field == case.get("field", ""))
    assert all(part in finding.message for part in case.get("message", [])), finding.message
    assert (finding.name, finding.severity) == (RULES[code].name, RULES[code].severity)
    assert finding.location == Location("rows.jsonl", 7)
    assert finding.message.endswith("...") or not finding.message.endswith("."), "one sentence without a full stop"


@pytest.mark.parametrize("code", ROW_RULES)
def test_every_rule_has_rows_that_pass_and_rows_that_fail(code: str) -> None:
    cases = read_cases(code)
    assert cases.get("pass"), f"cases/{code}.yaml has no row that passes"
    assert cases.get("fail"), f"cases/{code}.yaml has no row that fails"


def test_every_file_of_cases_belongs_to_a_rule() -> None:
    assert sorted(path.stem for path in CASES_FOLDER.iterdir()) == sorted(ROW_RULES)
