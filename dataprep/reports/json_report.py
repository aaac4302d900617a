"""The lint report as one JSON document, as ``schemas/report.schema.json`` defines it, and as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import indent
from typing import Any

from dataprep import __version__
from dataprep.findings import Finding, Severity
from dataprep.linting import LintReport
from dataprep.reports.reporter import ReportContext

REPORT_VERSION = 1


def report_object(report: LintReport) -> dict[str, Any]:
    """Return the report as JSON-ready values."""
    return _head_object(report) | {"findings": [finding_object(finding) for finding in report.findings]}


def _head_object(report: LintReport) -> dict[str, Any]:
    return {
        "version": REPORT_VERSION,
        "tool_version": __version__,
        "for": report.model_type,
        "files": [{"path": f.path, "rows": f.rows, "formats": dict(f.formats)} for f in report.files],
        "summary": {
            "rows": report.num_rows,
            "rows_with_errors": report.num_rows_with_errors,
            "errors": report.count(Severity.ERROR),
            "warnings": report.count(Severity.WARNING),
            "infos": report.count(Severity.INFO),
            "by_code": {code: found.findings for code, found in sorted(report.by_code.items())},
            "accepted": report.num_accepted,
            "left_out": report.num_findings - len(report.findings),
            "sampled_from": report.sampled_from,
            "stopped": report.stopped,
        },
        "budget": _budget_object(report),
    }


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def finding_object(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON-ready values."""
    fix = finding.fix
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.value,
        "location": {"path": finding.location.path, "line": finding.location.line},
        "field": finding.field,
        "message": finding.message,
        "help": finding.help,
        "fix": None if fix is None else {"label": fix.label, "safe": fix.is_safe},
        "row_hash": finding.row_hash.hex() or None,
    }


def _budget_object(report: LintReport) -> dict[str, Any] | None:
    if report.budget is None:
        return None
    from dataprep.budget import budget_object  # there is one, so that its module is loaded already

    return budget_object(report.budget)


class JsonReporter:
    """One document; holds the first 100,000 findings and the counts of all."""

    def __init__(self, context: ReportContext) -> None:
        self._context = context

    def take(self, findings: Sequence[Finding]) -> None:
        """Do nothing: the report keeps what it holds."""

    def finish(self, report: LintReport) -> None:
        """Write the document."""
        value = _head_object(report)
        left_out = value["summary"]["left_out"]
        if left_out:
            self._context.say(f"{left_out:,} findings are counted, but not in the document; use --format jsonl")
        head = _pretty(value | {"findings": []})
        if not report.findings:
            self._context.write(f"{head}\n")
            return
        # One finding at a time: all of them as values and as one text take ten times what they take as findings.
        self._context.write(head.removesuffix("]\n}"))
        separator = "\n"
        for finding in report.findings:
            self._context.write(separator + indent(_pretty(finding_object(finding)), " " * 4))
            separator = ",\n"
        self._context.write("\n  ]\n}\n")


class JsonLinesReporter:
    """One finding per line, written as soon as it is found; no number of findings is too large."""

    def __init__(self, context: ReportContext) -> None:
        self._write = context.write

    def take(self, findings: Sequence[Finding]) -> None:
        """Write findings."""
        for finding in findings:
            self._write(json.dumps(finding_object(finding), ensure_ascii=False, separators=(",", ":")) + "\n")

    def finish(self, report: LintReport) -> None:
        """Write nothing more."""
