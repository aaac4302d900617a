"""One line per finding, one line per row, and nothing in the data can make two of one."""

from __future__ import annotations

import pytest

from dataprep.reports.lines import DropsReporter
from tests.dataprep.reports.making import HOSTILE, make_context, make_finding, make_report, render


def test_concise_is_one_line_per_finding() -> None:
    report = make_report(make_finding(1), make_finding(2, "G402", field=""), make_finding(0, "C704", field=""))
    assert render(report, format="concise").splitlines() == [
        "rows.jsonl:1: images[0]: M301 no such file",
        "rows.jsonl:2: G402 no such file",
        "rows.jsonl: C704 no such file",
    ]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_concise_shows_hostile_data_harmlessly(text: str, shown: str) -> None:
    output = render(make_report(make_finding(1, message=text, field=text, path=text)), format="concise")
    assert output == f"{shown}:1: {shown}: M301 {shown}\n"


def drops(*calls: list[object], **options: object) -> list[str]:
    pieces: list[str] = []
    reporter = DropsReporter(make_context(pieces.append, **options))  # type: ignore[arg-type]
    for findings in calls:
        reporter.take(findings)  # type: ignore[arg-type]
    return "".join(pieces).splitlines()


def test_drops_is_one_line_per_row_that_makes_the_run_fail() -> None:
    calls = [[make_finding(1), make_finding(1, "G402"), make_finding(1)], [make_finding(2, "T202")], [make_finding(0)]]
    assert drops(*calls) == ["rows.jsonl\t1\tM301,G402"]
    assert drops(*calls, fail_on="warning") == ["rows.jsonl\t1\tM301,G402", "rows.jsonl\t2\tT202"]
    assert drops(*calls, fail_on="never") == ["rows.jsonl\t1\tM301,G402"]


def test_a_path_cannot_break_the_line() -> None:
    assert drops([make_finding(1, path="a\tb\nc\x1b[1m.jsonl")]) == ["a\\tb\\nc\\x1b[1m.jsonl\t1\tM301"]
    assert drops([make_finding(1, path="数 据.jsonl")]) == ["数 据.jsonl\t1\tM301"]
