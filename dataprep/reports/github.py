"""Annotations of GitHub Actions: workflow commands that mark lines of the data files in a pull request.

GitHub shows at most ten errors, ten warnings and ten notices of a step. So that one frequent defect does not hide the
others, every rule gets a line before any rule gets a second one; one notice says how many findings are not shown.

Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions and
``@actions/core``, ``command.ts`` (escapeData, escapeProperty).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest

from dataprep.findings import Finding, Severity
from dataprep.linting import LintReport
from dataprep.reports.reporter import ReportContext
from dataprep.reports.visible import describe, make_visible
from dataprep.wording import counted

MOST_SHOWN = {Severity.ERROR: 10, Severity.WARNING: 10, Severity.INFO: 9}  # one notice is ours
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(make_visible(text)).replace(":", "%3A").replace(",", "%2C")


def annotation(finding: Finding) -> str:
    """Return the workflow command that shows a finding."""
    path, line = finding.location.path, max(1, finding.location.line)
    title = f"{finding.code} {finding.name}"
    place = f"file={_escape_property(path)},line={line},title={_escape_property(title)}"
    # A command is only heard at the beginning of a line, and what is visible has one line.
    return f"::{_COMMANDS[finding.severity]} {place}::{_escape(describe(finding))}"


class GithubReporter:
    """Workflow commands for the findings that GitHub shows, and the counts of all."""

    def __init__(self, context: ReportContext) -> None:
        self._context = context

    def take(self, findings: Sequence[Finding]) -> None:
        """Do nothing: the report keeps the first findings of every rule."""

    def finish(self, report: LintReport) -> None:
        """Write the commands."""
        shown = list(chain.from_iterable(_choose(report, severity) for severity in Severity))
        for finding in shown:
            self._context.write(annotation(finding) + "\n")
        hidden = report.num_findings - len(shown)
        if hidden:
            note = f"{hidden:,} more findings are not shown here (GitHub shows ten of a kind); use --format jsonl"
            self._context.write(f"::notice title=dataprep lint::{note}\n")
        errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
        self._context.write(
            f"dataprep lint: {counted(errors, 'error')}, {counted(warnings, 'warning')} in "
            f"{counted(report.num_rows, 'row')}\n"
        )


def _choose(report: LintReport, severity: Severity) -> list[Finding]:
    found = [summary for summary in report.by_code.values() if summary.severity is severity]
    found.sort(key=lambda summary: -summary.rows)
    turns = zip_longest(*(summary.first for summary in found))
    return [finding for turn in turns for finding in turn if finding is not None][: MOST_SHOWN[severity]]
