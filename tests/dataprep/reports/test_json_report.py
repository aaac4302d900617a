"""The JSON report obeys its schema and loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from dataprep import __version__, lint
from dataprep.config import LintConfig
from dataprep.findings import Fix
from dataprep.reports.json_report import REPORT_VERSION, report_object
from schemas import load_schema
from tests.dataprep.conversions import TOKENIZER, image_row, text_row, write_png, write_rows
from tests.dataprep.reports.making import make_finding, make_report, render


def test_the_report_obeys_the_schema_and_holds_every_finding(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    warned = {"query": "<image>What?", "response": "Red.", "images": ["a.png", "a.png"]}
    rows = [image_row("gone.png", query=f"{number}?") for number in range(5)] + [warned, text_row(1), "{cut"]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    options = LintConfig(model_type="internvl2-1b", model=TOKENIZER, max_length=100_000)
    value = json.loads(json.dumps(report_object(lint([source], options))))
    jsonschema.Draft202012Validator(load_schema("report")).validate(value)
    assert (value["version"], value["tool_version"], value["for"]) == (REPORT_VERSION, __version__, "internvl2-1b")
    assert value["files"] == [{"path": source, "rows": 8, "formats": {"native": 7, "unreadable": 1}}]
    assert value["summary"] == {
        "rows": 8,
        "rows_with_errors": 6,
        "errors": 6,
        "warnings": 1,
        "infos": 1,
        "by_code": {"L604": 1, "M301": 5, "P001": 1, "T202": 1},
        "accepted": 0,
        "left_out": 0,
        "sampled_from": None,
        "stopped": None,
    }
    assert [finding["location"]["line"] for finding in value["findings"]] == [1, 2, 3, 4, 5, 6, 6, 8]
    first = value["findings"][0]
    assert (first["code"], first["name"], first["severity"]) == ("M301", "image-file-missing", "error")
    assert first["field"] == "images[0]"
    assert first["message"]


def test_a_report_on_nothing_obeys_the_schema(tmp_path: Path) -> None:
    value = report_object(lint([write_rows(tmp_path / "rows.jsonl", [])]))
    jsonschema.Draft202012Validator(load_schema("report")).validate(value)
    assert value["for"] is None
    assert value["findings"] == []


def test_lines_are_findings_of_the_document(tmp_path: Path) -> None:
    report = lint([write_rows(tmp_path / "rows.jsonl", [image_row("gone.png"), "{cut"])])
    lines = [json.loads(line) for line in render(report, format="jsonl").splitlines()]
    assert lines == report_object(report)["findings"]
    assert all(len(line["row_hash"]) == 32 for line in lines)


def test_findings_beyond_what_a_report_holds_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.linting.MOST_KEPT", 2)
    report = make_report(*(make_finding(line) for line in range(1, 6)))
    said: list[str] = []
    value = json.loads(render(report, format="json", said=said))
    jsonschema.Draft202012Validator(load_schema("report")).validate(value)
    assert (len(value["findings"]), value["summary"]["left_out"], value["summary"]["errors"]) == (2, 3, 5)
    assert said == ["3 findings are counted, but not in the document; use --format jsonl"]


def test_findings_about_files_and_fixes_obey_the_schema() -> None:
    fix = Fix(label="take it out", is_safe=False)
    value = report_object(make_report(make_finding(0), make_finding(2, fix=fix)))
    jsonschema.Draft202012Validator(load_schema("report")).validate(value)
    whole, row = value["findings"]
    assert (whole["location"]["line"], whole["row_hash"], whole["fix"]) == (0, None, None)
    assert row["fix"] == {"label": "take it out", "safe": False}
