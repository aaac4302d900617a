"""Annotations: no data can begin a command, every rule is shown before any is shown twice, the rest is counted."""

from __future__ import annotations

import pytest

from tests.dataprep.reports.making import HOSTILE, make_finding, make_report, render


def test_an_annotation_has_file_line_and_title() -> None:
    text = render(make_report(make_finding(3, help="check, then 100 %: mend")), format="github")
    expected = (
        "::error file=rows.jsonl,line=3,title=M301 a-rule::images[0]: no such file; help: check, then 100 %25: mend"
    )
    assert text.splitlines() == [expected, "dataprep lint: 1 error, 0 warnings in 100 rows"]


def test_properties_are_escaped() -> None:
    line = render(make_report(make_finding(1, path="a,b:c%.jsonl")), format="github").splitlines()[0]
    assert line.startswith("::error file=a%2Cb%3Ac%25.jsonl,line=1,")


def test_findings_about_files_stand_on_the_first_line() -> None:
    assert "file=rows.jsonl,line=1," in render(make_report(make_finding(0)), format="github")


@pytest.mark.parametrize(
    "text", [text for text, _ in HOSTILE] + ["\n::set-output name=x::y", "x\r\n::error::z", "%0A::"]
)
def test_data_cannot_begin_a_command(text: str) -> None:
    output = render(make_report(make_finding(1, message=text, field=text, help=text, path=text)), format="github")
    assert [line[:7] for line in output.splitlines()] == ["::error", "datapre"]
    assert all(character.isprintable() or character == "\n" for character in output)


def test_ten_of_a_kind_are_shown_and_every_rule_once_first() -> None:
    findings = [make_finding(line) for line in range(1, 60)]
    codes = ("G402", "G403", "G404", "P001", "S101", "T201", "T205", "V351")
    findings += [make_finding(100, code) for code in codes] + [make_finding(101, "T202")]
    lines = render(make_report(*findings), format="github").splitlines()
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == 10
    assert {code for code in codes if any(f"title={code}" in line for line in errors)} == set(codes)
    assert sum(line.startswith("::warning") for line in lines) == 1
    note = "::notice title=dataprep lint::57 more findings are not shown here (GitHub shows ten of a kind)"
    assert lines[-2].startswith(note)
