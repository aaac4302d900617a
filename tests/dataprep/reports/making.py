"""Findings and reports made by hand, and hostile texts, for the tests of all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from dataprep.config import LintConfig, ReportConfig
from dataprep.findings import Finding, Fix, Location, Severity
from dataprep.linting import FileSummary, LintReport
from dataprep.reports.reporter import ReportContext, make_reporter

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
    line: int,
    code: str = "M301",
    *,
    message: str = "no such file",
    field: str = "images[0]",
    help: str | None = None,
    path: str = "rows.jsonl",
    fix: Fix | None = None,
) -> Finding:
    severity = {"T202": Severity.WARNING, "M308": Severity.INFO}.get(code, Severity.ERROR)
    return Finding(
        code=code,
        name="a-rule",
        severity=severity,
        location=Location(path, line),
        field=field,
        message=message,
        help=help,
        fix=fix,
        row_hash=line.to_bytes(16, "big") if line else b"",
    )


def make_report(*findings: Finding, num_rows: int = 100, path: str = "rows.jsonl") -> LintReport:
    bad = {finding.location for finding in findings if finding.severity is Severity.ERROR}
    files = [FileSummary(path, num_rows, Counter({"native": num_rows}))]
    report = LintReport(files, num_rows=num_rows, num_rows_with_errors=len(bad))
    for location in dict.fromkeys(finding.location for finding in findings):
        report.add([finding for finding in findings if finding.location == location])
    return report


def make_context(
    write: Callable[[str], object],
    *,
    say: Callable[[str], None] = lambda text: None,
    lint: LintConfig | None = None,
    paths: tuple[str, ...] = (),
    has_colours: bool = False,
    **report: Any,
) -> ReportContext:
    return ReportContext(
        write=write, say=say, report=ReportConfig(**report), lint=lint or LintConfig(), paths=paths,
        has_colours=has_colours,
    )  # fmt: skip


def render(report: LintReport, *findings: Finding, said: list[str] | None = None, **options: Any) -> str:
    """Return what a format writes; without findings of its own it is told those of the report."""
    pieces: list[str] = []
    context = make_context(pieces.append, say=[].append if said is None else said.append, **options)
    reporter = make_reporter(context)
    for finding in findings or report.findings:
        reporter.take([finding])
    reporter.finish(report)
    return "".join(pieces)
