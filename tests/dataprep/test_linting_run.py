"""A run as the command makes it: exit codes, where output goes, and what is refused."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataprep.config import FixConfig, LintConfig, ReportConfig, RuleConfig
from dataprep.errors import ConfigError, DataprepError
from dataprep.findings import Edit, Fix, Problem
from dataprep.linting_run import LintRun, run_lint
from dataprep.rules.base import CheckedRow, Rule, RuleContext
from dataprep.rules.table import RULES
from tests.dataprep.conversions import image_row, text_row, write_png, write_rows

Capture = pytest.CaptureFixture[str]


def run(*paths: object, **options: Any) -> int:
    """Run with options of all kinds."""
    report = {name: options.pop(name) for name in ReportConfig.__slots__ if name in options}
    fix = {name: options.pop(name) for name in FixConfig.__slots__ if name in options}
    if "rules" in options:
        options["rules"] = RuleConfig(**options["rules"])
    whole = LintRun(lint=LintConfig(**options), report=ReportConfig(**report), fix=FixConfig(**fix))
    return run_lint([str(path) for path in paths], whole)


@pytest.fixture
def good(tmp_path: Path) -> str:
    return write_rows(tmp_path / "good.jsonl", [text_row(number) for number in range(4)])


@pytest.fixture
def bad(tmp_path: Path) -> str:
    return write_rows(tmp_path / "bad.jsonl", [text_row(1), '{"query": "cut', image_row("gone.png"), text_row(2)])


@pytest.fixture
def warned(tmp_path: Path) -> str:
    write_png(tmp_path / "a.png", (1, 2, 3))
    row = {"query": "<image>What?", "response": "Red.", "images": ["a.png", "a.png"]}
    return write_rows(tmp_path / "warned.jsonl", [row])


@pytest.fixture
def renaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let S103 rename ``imgs`` to ``images``, and say nothing else."""

    def check(rule: Rule, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        if row.value is not None and "imgs" in row.value:
            edits = (Edit(path=("images",), value=row.value["imgs"]), Edit(path=("imgs",), removes=True))
            yield Problem(message="imgs", fix=Fix(label="rename imgs to images", is_safe=True, edits=edits))

    monkeypatch.setattr(RULES["S103"], "check", check)


def test_exit_codes(good: str, bad: str, warned: str) -> None:
    assert run(good) == 0
    assert run(bad) == 1
    assert run(warned) == 0
    assert run(warned, fail_on="warning") == 1
    assert run(bad, fail_on="never") == 0
    assert run(bad, exit_zero=True) == 0
    assert run(bad, rules={"severities": (("P001", "warning"), ("M301", "info"))}) == 0
    assert run(bad, rules={"ignore": ("P", "M")}) == 0
    assert run(bad, max_findings=1) == 3
    assert run(bad, max_findings=1, exit_zero=True) == 3
    assert run(bad, max_findings=3) == 1


def test_files_without_a_row_are_no_success(tmp_path: Path, capfd: Capture) -> None:
    empty = [write_rows(tmp_path / f"{name}.jsonl", []) for name in "ab"]
    (tmp_path / "c.json").write_text("[]")
    for options in ({}, {"exit_zero": True}, {"fail_on": "never"}, {"format": "sarif"}, {"sample": 5}):
        assert run(*empty, tmp_path / "c.json", **options) == 2
        expected = f"error: there is not a single row in {empty[0]}, {empty[1]}, {tmp_path / 'c.json'}; check the path"
        assert capfd.readouterr().err.startswith(expected)


def test_a_budget_ends_the_run_and_says_where(bad: str, capfd: Capture) -> None:
    assert run(bad, max_findings=1) == 3
    out, err = capfd.readouterr()
    sentence = f"stopped: --max-findings 1 was reached at {bad}:2; the rows behind it were not checked"
    assert sentence in out
    assert err == ""
    assert "M301" not in out
    assert run(bad, max_findings=1, format="json") == 3
    out, err = capfd.readouterr()
    assert err == sentence + "\n"
    report = json.loads(out)
    assert [file["rows"] for file in report["files"]] == [2]
    assert (report["summary"]["rows"], report["summary"]["stopped"]) == (2, sentence[9 : sentence.index(";")])


def test_a_sample_says_its_share(tmp_path: Path, capfd: Capture) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(400)])
    assert run(source, sample=100) == 0
    assert "100 of 400 rows (25.00%) were checked, drawn by --sample" in capfd.readouterr().out
    assert run(source, sample=100, format="json") == 0
    first = capfd.readouterr().out
    assert json.loads(first)["summary"]["sampled_from"] == 400
    run(source, sample=100, format="json", jobs=2)
    assert capfd.readouterr().out == first


def test_statistics_beside_a_report_for_programs_go_to_standard_error(bad: str, capfd: Capture) -> None:
    assert run(bad, format="jsonl", statistics=True) == 1
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 2
    assert err.splitlines()[0].startswith("findings      rows")
    assert "M301 image-file-missing" in err


@pytest.mark.parametrize("name", ["text", "json", "jsonl", "sarif", "junit", "html", "concise", "github", "drops"])
def test_a_report_in_a_file_is_what_would_have_been_printed(
    bad: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], name: str
) -> None:
    target = tmp_path / "out" / "report"
    target.parent.mkdir()
    target.write_text("old")
    assert run(bad, format=name, output=target) == 1
    assert capfdbinary.readouterr().out == b""
    run(bad, format=name, output=Path("-"))
    assert capfdbinary.readouterr().out == target.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["report"]


def test_a_report_that_breaks_off_leaves_the_old_one(bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(rule: Rule, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        raise ZeroDivisionError
        yield

    monkeypatch.setattr(RULES["M301"], "check", crash)
    target = tmp_path / "report"
    target.write_text("old")
    with pytest.raises(DataprepError, match="rule M301 crashed"):
        run(bad, format="jsonl", output=target)
    assert target.read_text() == "old"
    assert not list(tmp_path.glob("report?*"))


def test_outputs_that_would_do_harm_are_refused(bad: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is one of the data files; name another file"):
        run(bad, output=Path(bad))
    with pytest.raises(ConfigError, match="is a folder; name a file"):
        run(bad, output=tmp_path)
    with pytest.raises(DataprepError, match=r"cannot write .*Create the folder first"):
        run(bad, output=tmp_path / "gone" / "report")


def test_a_report_can_go_into_a_pipe(bad: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert run(bad, format="concise", output=pipe) == 1
    reader.join(10)
    assert read[0].count(b"\n") == 2
    assert pipe.is_fifo()


@pytest.mark.usefixtures("renaming")
def test_mending_reports_on_what_is_left(tmp_path: Path, capfd: Capture) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    rows = [text_row(1) | {"imgs": []}, {"query": "<image>", "response": "r", "imgs": ["a.png"]}, image_row("gone.png")]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    fixed = tmp_path / "rows.fixed.jsonl"
    assert run(source, fix=True, format="concise") == 1
    out, err = capfd.readouterr()
    assert err == f"{source}: 2 rows mended (S103 2); see {fixed} and {fixed}.ledger\n"
    assert out.startswith(f"{fixed}:3: images[0]: M301")
    assert out.count("\n") == 1
    assert run(fixed, fix=True, format="concise") == 1
    assert capfd.readouterr().err == f"{fixed}: nothing to mend\n"


@pytest.mark.usefixtures("renaming")
def test_a_copy_elsewhere_finds_its_media(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    source = write_rows(tmp_path / "rows.jsonl", [{"query": "<image>", "response": "r", "imgs": ["a.png"]}])
    (tmp_path / "new").mkdir()
    assert run(source, fix=True, fixed_out=tmp_path / "new" / "rows.jsonl") == 0
    assert (tmp_path / "new" / "rows.jsonl.ledger").is_file()


@pytest.mark.usefixtures("renaming")
def test_a_diff_writes_nothing_and_its_exit_code_says_whether_there_is_one(
    tmp_path: Path, good: str, capfd: Capture
) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1) | {"imgs": None}])
    before = sorted(tmp_path.iterdir())
    assert run(source, diff=True) == 1
    assert capfd.readouterr().out.splitlines()[2:3] == ["@@ -1 +1 @@"]
    assert run(source, diff=True, exit_zero=True) == 0
    assert run(good, diff=True) == 0
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("options", "option"), [({"fix": True}, "--fix"), ({"diff": True}, "--diff")])
def test_streams_are_not_mended(options: dict[str, bool], option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} needs files, and - is a stream"):
        run("-", **options)


def test_one_name_is_not_enough_for_several_files(good: str, bad: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--fixed-out names one file, and there are 2 data files"):
        run(good, bad, fix=True, fixed_out=tmp_path / "x.jsonl")


def test_options_that_contradict_one_another_are_refused(good: str, tmp_path: Path) -> None:
    for options in ({}, {"fix": True, "diff": True}, {"diff": True}):
        with pytest.raises(ConfigError, match="names what --fix writes; add --fix, without --diff"):
            FixConfig(fixed_out=tmp_path / "x", **options)
    both = LintRun(lint=LintConfig(baseline=tmp_path / "b"), fix=FixConfig(fix=True), update_baseline=True)
    with pytest.raises(ConfigError, match="use one after the other"):
        run_lint([good], both)


@pytest.mark.usefixtures("renaming")
def test_a_file_that_is_named_twice_is_mended_and_checked_once(tmp_path: Path, capfd: Capture) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1) | {"imgs": None}])
    assert run(source, source, fix=True, format="json") == 0
    out, err = capfd.readouterr()
    assert err.count("row mended") == 1
    assert json.loads(out)["summary"]["rows"] == 1


def test_a_contact_sheet_is_drawn_beside_the_report(tmp_path: Path, good: str, capfd: Capture) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3), (40, 30))
    box = {"caption": "c", "bbox": [1, 2, 30, 20], "bbox_type": "real", "image": 0}
    row = {"query": "find", "response": "<bbox>", "images": ["a.png"], "objects": [box]}
    source, sheet = write_rows(tmp_path / "rows.jsonl", [row]), tmp_path / "sheet.png"
    assert run(source, contact_sheet=sheet) == 0
    assert capfd.readouterr().err == f"{sheet}: 1 image\n"
    assert sheet.read_bytes().startswith(b"\x89PNG")
    assert run(good, contact_sheet=tmp_path / "none.png") == 0
    assert capfd.readouterr().err == "no boxes to draw: no contact sheet\n"
    assert not (tmp_path / "none.png").exists()
