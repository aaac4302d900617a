"""The lint report as one JSON document, as ``schemas/report.schema.json`` defines it."""

from __future__ import annotations

from typing import Any

from dataprep import __version__
from dataprep.findings import Finding, Severity
from dataprep.linting import LintReport

REPORT_VERSION = 1


def report_object(report: LintReport) -> dict[str, Any]:
    """Return the report as JSON-ready values."""
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
        },
        "budget": _budget_object(report),
        "findings": [_finding_object(finding) for finding in report.findings],
    }


def _finding_object(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.value,
        "location": {"path": finding.location.path, "line": finding.location.line},
        "field": finding.field,
        "message": finding.message,
        "help": finding.help,
    }


def _budget_object(report: LintReport) -> dict[str, Any] | None:
    if report.budget is None:
        return None
    from dataprep.budget import budget_object  # there is one, so that its module is loaded already

    return budget_object(report.budget)
