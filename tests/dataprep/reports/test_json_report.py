"""The JSON report obeys its schema and loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from dataprep import __version__, lint
from dataprep.config import LintConfig
from dataprep.reports.json_report import REPORT_VERSION, report_object
from schemas import load_schema
from tests.dataprep.conversions import TOKENIZER, image_row, text_row, write_png, write_rows


def test_the_report_obeys_the_schema_and_holds_every_finding(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    warned = {"query": "<image>What?", "response": "Red.", "images": ["a.png", "a.png"]}
    rows = [image_row("gone.png")] * 5 + [warned, text_row(1), "{cut"]
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
