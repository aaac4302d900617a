"""The text report: causes first, repeats collapsed, hostile data harmless, the next command last."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from dataprep import convert, lint
from dataprep.conversion import BadRowsError
from dataprep.findings import Finding, Location, Severity
from dataprep.linting import FileSummary, LintReport
from dataprep.reports.text import make_visible, print_bad_rows, print_conversion, print_lint
from dataprep.rules.runner import FOR_CONVERSION
from tests.dataprep.conversions import make_options, text_row, write_rows

HOSTILE = [
    ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
    ("a\nb\r\tc", r"a\nb\r\tc"),
    ("abc\u202edef\u2066x", r"abc\u202edef\u2066x"),
    ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
    ("lone \ud800 half", r"lone \ud800 half"),
    ("\x00\x7f\x9b31m", r"\x00\x7f\x9b31m"),
    ("\u2028line", r"\u2028line"),
]


def make_finding(
    line: int, code: str = "M301", *, message: str = "no such file", field: str = "images[0]", help: str | None = None
) -> Finding:
    severity = Severity.WARNING if code == "T202" else Severity.ERROR
    location = Location("rows.jsonl", line)
    return Finding(
        code=code, name="a-rule", severity=severity, location=location, field=field, message=message, help=help
    )


def make_report(*findings: Finding, num_rows: int = 100, path: str = "rows.jsonl") -> LintReport:
    bad = {finding.location for finding in findings if finding.severity is Severity.ERROR}
    files = [FileSummary(path, num_rows, Counter({"native": num_rows}))]
    report = LintReport(files, num_rows=num_rows, num_rows_with_errors=len(bad))
    for location in dict.fromkeys(finding.location for finding in findings):
        report.add([finding for finding in findings if finding.location == location])
    return report


def show(report: LintReport, *, width: int = 80) -> str:
    stream = io.StringIO()
    print_lint(report, Console(file=stream, width=width))
    return stream.getvalue()


def test_a_clean_report_names_what_passed_and_what_comes_next() -> None:
    assert show(make_report()).splitlines() == [
        "rows.jsonl: 100 rows (100 native)",
        "",
        "passed: parsing, fields and turns, tags, images, videos, boxes, duplicates, balance",
        "not checked: lengths (add --for MODEL_TYPE --model DIR)",
        "0 errors and 0 warnings; conversion would reject 0 of 100 rows",
        "Next: dataprep convert rows.jsonl --for MODEL_TYPE --model DIR --out shards",
    ]


def test_repeats_collapse() -> None:
    text = show(make_report(*(make_finding(line, help="check the path") for line in range(1, 4124)), num_rows=9000))
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("rows.jsonl:") and "M301" in line] == [
        f"rows.jsonl:{line}: images[0]: M301 no such file" for line in (1, 2, 3)
    ]
    assert "  +4,120 more M301 (all of them: --format json)" in lines
    assert lines.count("  help: check the path") == 1
    assert "passed: parsing, fields and turns, tags, videos, boxes, duplicates, balance" in lines
    assert "4,123 errors and 0 warnings; conversion would reject 4,123 of 9,000 rows" in lines
    assert lines[-1] == "Next: mend the rows, or read more: dataprep explain M301"


@pytest.mark.parametrize(("count", "more"), [(3, False), (4, True)])
def test_three_findings_are_shown_in_full(count: int, more: bool) -> None:
    text = show(make_report(*(make_finding(line) for line in range(1, count + 1))))
    assert ("+1 more M301" in text) == more


def test_errors_come_first_and_the_most_frequent_of_them() -> None:
    findings = [make_finding(line, "T202") for line in range(1, 9)]
    findings += [make_finding(1, "G402"), make_finding(2, "M301"), make_finding(3, "M301")]
    text = show(make_report(*findings))
    assert text.index("M301") < text.index("G402") < text.index("T202")
    # Ten findings on one row are one row.
    many = [make_finding(1, "G402") for _ in range(10)] + findings[-2:]
    assert show(make_report(*many)).index("M301") < show(make_report(*many)).index("G402")


@pytest.mark.parametrize("line", [100, 1234])
def test_line_numbers_are_no_emoji(line: int) -> None:
    assert f"rows.jsonl:{line}: images[0]: M301 :cat:" in show(make_report(make_finding(line, message=":cat:")))


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_data_cannot_act_on_the_terminal(text: str, shown: str) -> None:
    assert make_visible(text) == shown
    report = make_report(make_finding(1, message=text, field=text, help=text), path=text)
    output = show(report, width=300)
    assert output.count(shown) == 4
    assert all(character.isprintable() or character == "\n" for character in output)


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", "[bold", "\\[red]", "tail\\", "[link=file:///etc]x[/link]"])
def test_markup_in_the_data_is_text(text: str) -> None:
    output = show(make_report(make_finding(1, message=text, field=text, help=text), path=text), width=300)
    assert f"{text}: 100 rows" in output
    assert f"rows.jsonl:1: {text}: M301 {text}\n" in output
    assert f"help: {text}\n" in output


def test_readable_text_of_any_script_stays() -> None:
    assert make_visible("中文 grün 😀 naïve") == "中文 grün 😀 naïve"


def test_colours_are_ours_alone() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", width=200)
    print_lint(make_report(make_finding(1, message="[red]\x1b[31mx")), console)
    assert "\x1b[1;31mM301\x1b[0m" in stream.getvalue()
    assert "[red]\\x1b[31mx" in stream.getvalue()


def test_a_place_is_never_broken_in_two() -> None:
    path = "a/very/long/folder/" * 10 + "rows.jsonl"
    lines = show(make_report(path=path), width=40).splitlines()
    assert lines[0] == f"{path}: 100 rows (100 native)"
    assert lines[-1].endswith("--out shards")


def test_the_next_command_can_be_pasted() -> None:
    assert "dataprep convert 'my rows.jsonl' --for" in show(make_report(path="my rows.jsonl"))
    report = make_report()
    report.files = [FileSummary(f"{number}.jsonl") for number in range(5)]
    report.model_type, report.levels = "internvl2-8b", FOR_CONVERSION
    text = show(report)
    assert "Next: dataprep convert 0.jsonl 1.jsonl 2.jsonl 3.jsonl 4.jsonl --for internvl2-8b --model DIR" in text
    assert "passed: parsing, fields and turns, tags, images, videos, boxes, duplicates, lengths, balance" in text
    assert "not checked" not in text


def test_a_file_without_rows_passes_nothing() -> None:
    text = show(LintReport([FileSummary("rows.jsonl")]))
    assert "rows.jsonl: 0 rows (none)" in text
    assert "passed" not in text


@pytest.mark.parametrize(
    "row",
    [
        '{"query": "<image>What?", "response": "r", "images": ["%s.png"]}',
        '{"query": "<bbox>", "response": "r", "images": [], "objects": [{"caption": "%s", "bbox": "%s"}]}',
        '{"query": "q", "response": "r", "%s": 1}',
        '{"query": "q", "response": "%s<|im_end|>%s"}',
        '{"query": {"%s": 1}, "response": "r"}',
        '{"query": "q", "response": "%s',
        '{"messages": [{"role": "%s", "content": "q"}]}',
        '{"query": "q", "response": "r", "%s": 1, "%s": 2}',
    ],
    ids=["path", "box", "field", "answer", "query", "cut", "role", "twice"],
)
def test_a_megabyte_in_one_place_stays_readable(tmp_path: Path, row: str) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [row.replace("%s", "long " * 200_000), text_row(1)])
    text = show(lint([source]))
    assert len(text) < 8000
    assert "conversion would reject" in text


def test_bad_rows_are_a_table_with_reasons() -> None:
    reasons = {"P001": (1, "rows.jsonl:9: [red]Expecting value"), "M301": (1200, "rows.jsonl:1: no\x1b such file")}
    stream = io.StringIO()
    print_bad_rows(BadRowsError(5000, 1201, reasons, "error", 0.05), Console(file=stream, width=120))
    text = stream.getvalue()
    assert text.index("M301") < text.index("P001")
    assert "1,200" in text
    assert "image-file-missing" in text
    assert "[red]Expecting value" in text
    assert "no\\x1b such file" in text


def test_a_conversion_says_its_totals_and_the_next_command(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [*(text_row(number) for number in range(20)), "no json"])
    out = tmp_path / "my shards"
    manifest = convert([source], out, make_options(on_bad="skip", split="held_out=0.4"))
    stream = io.StringIO()
    print_conversion(manifest, str(out), Console(file=stream, width=100))
    text = stream.getvalue()
    assert text.startswith("21 rows in = 20 converted + 0 repaired + 1 rejected + 0 duplicate\n")
    assert "held_out" in text
    assert f"rejected rows, with their findings: {out}/rejects.jsonl\n" in text
    assert text.endswith(f"Next: dataprep train '{out}' --model DIR --out runs/a\n")
