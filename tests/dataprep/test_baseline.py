"""Accepted findings: keyed by content, deterministic on disk, and what nobody needs is a finding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataprep import lint
from dataprep.baseline import Baseline, BaselineEntry, entry_of, read_baseline, write_baseline
from dataprep.config import LintConfig, RuleConfig
from dataprep.errors import ConfigError
from dataprep.linting_run import LintRun, run_lint
from tests.dataprep.conversions import image_row, text_row, write_rows
from tests.dataprep.reports.making import make_finding

HASH = "0" * 30 + "2a"


def update(source: str, path: Path, **options: Any) -> None:
    assert run_lint([source], LintRun(lint=LintConfig(baseline=path, **options), update_baseline=True)) == 0


def test_rows_are_accepted_by_content_and_files_by_name() -> None:
    assert entry_of(make_finding(42)) == BaselineEntry("M301", row=HASH)
    assert entry_of(make_finding(0)) == BaselineEntry("M301", path="rows.jsonl")


def test_what_is_accepted_is_not_reported_and_is_counted() -> None:
    baseline = Baseline(entries=frozenset({BaselineEntry("M301", row=HASH), BaselineEntry("G402", row=HASH)}))
    kept = baseline.without_accepted([make_finding(42), make_finding(42, field="b"), make_finding(43)])
    assert [finding.location.line for finding in kept] == [43]
    assert baseline.num_accepted == 2
    assert baseline.unmet(["M301", "G402"]) == [BaselineEntry("G402", row=HASH)]
    assert baseline.unmet(["M301"]) == []


def test_the_file_depends_on_the_entries_alone(tmp_path: Path) -> None:
    entries = [BaselineEntry("M301", row=HASH), BaselineEntry("C704", path="a.jsonl"), BaselineEntry("G402", row=HASH)]
    write_baseline(tmp_path / "one", entries)
    write_baseline(tmp_path / "two", [*reversed(entries), entries[0]])
    text = (tmp_path / "one").read_text()
    assert text == (tmp_path / "two").read_text()
    assert text.splitlines()[3] == '    {"code": "C704", "path": "a.jsonl"},'
    assert read_baseline(tmp_path / "one").entries == frozenset(entries)
    write_baseline(tmp_path / "none", [])
    assert read_baseline(tmp_path / "none").entries == frozenset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "is no baseline of dataprep"),
        ('{"version": 2, "entries": []}', "has version 2, this release reads 1"),
        ('{"version": 1}', "is no baseline"),
        ('{"version": 1, "entries": [{"code": "M301"}]}', "is no baseline"),
        ('{"version": 1, "entries": [{"code": "M301", "row": 5}]}', "is no baseline"),
        ('{"version": 1, "entries": [{"code": "M301", "row": "a", "path": "b"}]}', "is no baseline"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "base.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_baseline(tmp_path / "base.json")


def test_a_missing_file_is_an_error_unless_it_is_to_be_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read .*make it with --update-baseline"):
        read_baseline(tmp_path / "base.json")
    assert read_baseline(tmp_path / "base.json", may_be_missing=True).entries == frozenset()
    assert read_baseline(None).entries == frozenset()


def test_rows_may_move_and_others_may_come(tmp_path: Path) -> None:
    bad = [image_row("gone.png"), {"query": "q"}, "{cut"]
    source = write_rows(tmp_path / "rows.jsonl", bad)
    base = tmp_path / "base.json"
    update(source, base)
    assert len(json.loads(base.read_text())["entries"]) == 3
    more = [text_row(1), *reversed(bad), image_row("other.png")]
    report = lint([write_rows(tmp_path / "rows.jsonl", more)], LintConfig(baseline=base))
    assert [(f.code, f.location.line) for f in report.findings] == [("M301", 5)]
    assert (report.num_accepted, report.num_rows_with_errors) == (3, 4)


def test_an_entry_that_nobody_needs_is_a_finding(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [image_row("gone.png"), {"query": "q"}])
    base = tmp_path / "base.json"
    update(source, base)
    write_rows(tmp_path / "rows.jsonl", [image_row("gone.png"), text_row(1)])
    (finding,) = lint([source], LintConfig(baseline=base)).findings
    assert (finding.code, finding.name, finding.severity) == ("C704", "unused-baseline-entry", "warning")
    assert (finding.location.path, finding.location.line) == (str(base), 0)
    assert "S101 of row " in finding.message
    update(source, base)
    assert lint([source], LintConfig(baseline=base)).findings == []


@pytest.mark.parametrize(
    "options",
    [
        {"rules": RuleConfig(ignore=("S101",))},
        {"rules": RuleConfig(ignore=("C704",))},
        {"sample": 1},
        {"max_findings": 1},
    ],
)
def test_what_was_not_looked_for_is_not_unused(tmp_path: Path, options: dict[str, Any]) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [{"query": "q"}])
    base = tmp_path / "base.json"
    update(source, base)
    write_rows(tmp_path / "rows.jsonl", [image_row("gone.png")])
    report = lint([source], LintConfig(baseline=base, **options))
    assert "C704" not in report.by_code


def test_entries_below_the_level_of_the_run_are_kept(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [image_row("gone.png")])
    base = tmp_path / "base.json"
    update(source, base)
    before = base.read_text()
    update(source, base, level=1)
    assert base.read_text() == before
    assert lint([source], LintConfig(baseline=base, level=1)).findings == []


def test_an_update_says_what_changed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [image_row("gone.png"), image_row("gone.png")])
    update(source, tmp_path / "base.json", rules=RuleConfig(ignore=("D",)))
    assert capfd.readouterr().err == f"{tmp_path / 'base.json'}: 1 entry (+1, -0) for 2 findings\n"


def test_what_is_found_late_is_accepted_by_content_too(tmp_path: Path) -> None:
    source, base = tmp_path / "rows.jsonl", tmp_path / "base.json"
    update(write_rows(source, [text_row(1), text_row(2), text_row(1)]), base)
    assert [entry["code"] for entry in json.loads(base.read_text())["entries"]] == ["D501"]
    write_rows(source, [text_row(9), text_row(1), text_row(8), text_row(1), text_row(2)])
    report = lint([str(source)], LintConfig(baseline=base))
    assert (report.by_code, report.num_accepted) == ({}, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [({}, "add --baseline FILE"), ({"baseline": Path("b"), "sample": 1}, "leave out --sample and --max-findings")],
)
def test_an_update_needs_a_file_and_all_rows(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    with pytest.raises(ConfigError, match=message):
        run_lint([source], LintRun(lint=LintConfig(**options), update_baseline=True))
