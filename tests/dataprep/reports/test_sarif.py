"""SARIF logs obey the public schema, survive hostile data, and fold what a code host would refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dataprep.baseline import entry_of
from dataprep.reports import sarif
from tests.dataprep.reports.making import HOSTILE, make_finding, make_report, render

SCHEMA = json.loads((Path(__file__).parent / "sarif" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def make_log(*findings: Any, said: list[str] | None = None) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(render(make_report(*findings), *findings, format="sarif", said=said))
    VALIDATOR.validate(log)
    return log


def test_the_schema_is_the_public_one_and_refuses_what_is_no_log() -> None:
    assert "SARIF" in SCHEMA["title"]
    assert not VALIDATOR.is_valid({"version": "2.1.0", "runs": [{"results": []}]})
    assert not VALIDATOR.is_valid({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "result": []}]})


def test_a_log_names_rule_place_and_row() -> None:
    finding = make_finding(3, "G402", message="box leaves the image", field="objects[0].bbox", path="a b.jsonl")
    (run,) = make_log(finding, make_finding(7, "T202"))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["G402", "T202"]
    assert rules[0]["help"]["markdown"].startswith("# G402 box-outside-image")
    first, second = run["results"]
    assert (first["ruleId"], rules[first["ruleIndex"]]["id"], first["level"]) == ("G402", "G402", "error")
    place = first["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "a%20b.jsonl", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }
    assert first["message"]["text"] == "objects[0].bbox: box leaves the image"
    assert first["partialFingerprints"]["dataprepBaseline/v1"] == f"G402:{entry_of(finding).row}"
    assert second["level"] == "warning"


def test_fingerprints_stay_when_rows_move_and_tell_findings_of_a_row_apart() -> None:
    one, two = make_finding(3, "G402", field="a"), make_finding(3, "G402", field="b")
    marks = [result["partialFingerprints"] for result in make_log(one, two)["runs"][0]["results"]]
    assert marks[0]["primaryLocationLineHash"] != marks[1]["primaryLocationLineHash"]
    assert marks[0]["dataprepBaseline/v1"] == marks[1]["dataprepBaseline/v1"]


def test_a_finding_about_a_file_has_a_line_too() -> None:
    (result,) = make_log(make_finding(0, "C704", field=""))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}
    assert result["partialFingerprints"] == {"dataprepBaseline/v1": "C704:rows.jsonl"}


def test_a_clean_run_is_a_log_without_results() -> None:
    (run,) = make_log()["runs"]
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_hostile_data_is_text(text: str, shown: str) -> None:
    (result,) = make_log(make_finding(1, message=text, field=text, help=text))["runs"][0]["results"]
    assert result["message"]["text"] == f"{shown}: {shown}; help: {shown}"


def test_as_many_results_as_are_shown_are_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 5)
    said: list[str] = []
    assert len(make_log(*map(make_finding, range(1, 6)), said=said)["runs"][0]["results"]) == 5
    assert said == []


def test_more_are_folded_into_one_for_each_rule_and_file_and_it_is_said() -> None:
    findings = [make_finding(line, "T202") for line in range(1, 11)]
    findings += [make_finding(line, path=f"{line % 2}.jsonl") for line in range(1, sarif.MOST_RESULTS)]
    said: list[str] = []
    (run,) = make_log(*findings, said=said)["runs"]
    found = [(r["ruleId"], r["occurrenceCount"]) for r in run["results"]]
    assert found == [("M301", 2500), ("M301", 2499), ("T202", 10)]
    assert run["results"][0]["message"]["text"].endswith("(+2,499 more of M301 in this file)")
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert (
        "5,009 findings are more than the 5,000 results that GitHub shows: 5,006 of them are folded"
        in (note["message"]["text"])
    )
    assert said == [f"sarif: {note['message']['text']}"]


def test_more_rules_and_files_than_results_leave_the_least_severe_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 2)
    findings = [make_finding(1, "T202", path="a"), make_finding(1, path="b"), make_finding(1, path="c")]
    said: list[str] = []
    (run,) = make_log(*findings, said=said)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["M301", "M301"]
    assert said[-1] == "sarif: 1 findings are left out"


def test_a_run_that_was_stopped_says_so() -> None:
    report = make_report(make_finding(1))
    report.stopped = "--max-findings 1 was reached at rows.jsonl:1"
    log = json.loads(render(report, format="sarif"))
    VALIDATOR.validate(log)
    assert "not checked" in log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
