"""Data is shown as it is, but can act on nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep.reports.visible import describe, file_uri, make_visible, plain
from tests.dataprep.reports.making import HOSTILE, make_finding


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_what_a_terminal_would_act_on_is_an_escape(text: str, shown: str) -> None:
    assert make_visible(text) == shown


def test_readable_text_of_any_script_stays() -> None:
    assert make_visible("中文 grün 😀 naïve") == "中文 grün 😀 naïve"


def test_long_text_is_cut_and_its_length_said() -> None:
    assert plain("x" * 1000) == "x" * 1000
    assert plain("x" * 5000) == "x" * 900 + "... (5,000 characters)"


def test_a_finding_is_one_line() -> None:
    finding = make_finding(1, message="a\nb", help="c")
    assert describe(finding) == "images[0]: a\\nb; help: c"
    assert describe(make_finding(1, field="")) == "no such file"


def test_files_are_named_as_code_hosts_expect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert file_uri("-") == "stdin"
    assert file_uri("data/a b%.jsonl") == "data/a%20b%25.jsonl"
    assert file_uri(str(tmp_path / "in.jsonl")) == "in.jsonl"
    assert file_uri("/elsewhere/x.jsonl") == "file:///elsewhere/x.jsonl"
    assert file_uri("odd\udcff.jsonl") == "odd%FF.jsonl"
