"""JUnit XML: well-formed whatever the data, a suite per file, a test case per rule."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from dataprep.config import LintConfig, RuleConfig
from dataprep.linting import FileSummary
from dataprep.rules.table import RULES
from tests.dataprep.reports.making import HOSTILE, make_finding, make_report, render


def read(*findings: Any, **options: Any) -> ElementTree.Element:
    return ElementTree.fromstring(render(make_report(*findings), format="junit", **options))


def test_a_failed_rule_is_a_failed_test_and_the_others_passed() -> None:
    root = read(make_finding(1), make_finding(2), make_finding(3, "T202"))
    (suite,) = root
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    assert suite.get("name") == "rows.jsonl"
    assert len(cases) == int(suite.get("tests") or 0) == int(root.get("tests") or 0) > 40
    assert (suite.get("failures"), root.get("failures")) == ("1", "1")
    failure = cases["M301 image-file-missing"].find("failure")
    assert failure is not None
    assert failure.get("message") == "2 findings, the first: images[0]: no such file"
    assert failure.text == "rows.jsonl:1: images[0]: no such file\nrows.jsonl:2: images[0]: no such file"
    assert cases["T202 fewer-tags-than-media"].find("failure") is None
    assert cases["T202 fewer-tags-than-media"].find("system-out") is not None
    assert len(cases["P001 invalid-json"]) == 0
    assert not any(name and name.startswith("L6") for name in cases), "rules that did not run are no tests"


def test_what_makes_the_run_fail_fails_here() -> None:
    assert read(make_finding(1, "T202"), fail_on="warning").get("failures") == "1"
    assert read(make_finding(1), fail_on="never").get("failures") == "0"


def test_only_rules_that_ran_are_tests() -> None:
    root = read(lint=LintConfig(rules=RuleConfig(select=("P",))))
    assert int(root.get("tests") or 0) == sum(code.startswith("P") for code in RULES)


def test_repeats_are_counted() -> None:
    failure = read(*map(make_finding, range(1, 101))).find(".//failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.splitlines()[-1] == "+80 more"


def test_every_file_is_a_suite_and_so_is_one_that_only_findings_name() -> None:
    report = make_report(make_finding(0, "C704", path="baseline.json"))
    report.files.append(FileSummary("more.jsonl"))
    root = ElementTree.fromstring(render(report, format="junit"))
    assert [suite.get("name") for suite in root] == ["rows.jsonl", "more.jsonl", "baseline.json"]


@pytest.mark.parametrize("text", [text for text, _ in HOSTILE] + ["]]><x>", "\"' <&>", "\ufffe"])
def test_any_data_makes_well_formed_xml(text: str) -> None:
    finding = make_finding(1, message=text, field=text, help=text, path=text)
    root = ElementTree.fromstring(render(make_report(finding, path=text), format="junit").encode("utf-8"))
    assert root.get("failures") == "1"
