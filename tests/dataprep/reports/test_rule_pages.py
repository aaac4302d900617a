"""Rule pages are the rules' own texts, and the manual is made of all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataprep.errors import ConfigError
from dataprep.reports.rule_pages import manual, rule_objects, rule_page
from dataprep.rules.table import RULES

MANUAL = Path(__file__).resolve().parents[3] / "docs" / "rules.md"


@pytest.mark.parametrize("code", RULES)
def test_every_rule_has_a_page(code: str) -> None:
    page = rule_page(code)
    rule = RULES[code]
    assert page.startswith(f"# {code} {rule.name}\n\n{rule.severity.value}, level ")
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
    assert "## What it does" in page


def test_a_rule_is_found_by_code_and_name_in_any_case() -> None:
    assert rule_page("m301") == rule_page("M301") == rule_page("image-file-missing") == rule_page("Image-File-Missing")


def test_a_rule_that_does_not_exist_is_an_error_with_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"there is no rule 'M30'; did you mean .*M30"):
        rule_page("M30")
    with pytest.raises(ConfigError, match="did you mean image-file-missing"):
        rule_page("image-file-mising")
    with pytest.raises(ConfigError, match="'dataprep rules' lists them all"):
        rule_page("?")


def test_the_list_has_every_rule_once() -> None:
    entries = rule_objects()
    assert [entry["code"] for entry in entries] == list(RULES)
    assert len({entry["name"] for entry in entries}) == len(entries)
    assert all(str(entry["summary"]).endswith(".") for entry in entries)


def test_the_manual_has_every_page_under_its_own_heading() -> None:
    headings = re.findall(r"^## (\w\d{3}) ", manual(), re.MULTILINE)
    assert headings == list(RULES)
    assert len(re.findall(r"^# ", manual(), re.MULTILINE)) == 1


def test_the_manual_on_disk_is_current() -> None:
    assert MANUAL.read_text(encoding="utf-8") == manual(), "run 'make rules'"
