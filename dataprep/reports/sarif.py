"""SARIF 2.1.0, which code hosts read: results with place, rule and a fingerprint that survives moved lines.

GitHub refuses a run with more than 25,000 results and shows 5,000 of them. Beyond :data:`MOST_RESULTS` the findings of
each rule in each file are folded into one result, which says how many it stands for; the run and standard error say so.

Source: OASIS SARIF 2.1.0 (plus errata 01); GitHub, "SARIF support for code scanning".
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dataprep import __version__
from dataprep.baseline import BaselineEntry, entry_of
from dataprep.findings import Finding, Severity
from dataprep.linting import LintReport
from dataprep.reports.groups import Groups
from dataprep.reports.reporter import ReportContext
from dataprep.reports.rule_pages import rule_page
from dataprep.reports.visible import describe, file_uri
from dataprep.rules.table import RULES

MOST_RESULTS = 5000
SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


class SarifReporter:
    """One SARIF log with one run; holds at most 5,000 results."""

    def __init__(self, context: ReportContext) -> None:
        self._context = context
        self._kept: list[Finding] = []
        self._groups = Groups(1)

    def take(self, findings: Sequence[Finding]) -> None:
        """Remember findings, as many as a run may hold, and count all."""
        self._groups.take(findings)
        self._kept += findings[: MOST_RESULTS + 1 - len(self._kept)]

    def finish(self, report: LintReport) -> None:
        """Write the log."""
        results, notes = self._results()
        for note in notes:
            self._context.say(f"sarif: {note}")
        if report.stopped:
            notes.append(f"{report.stopped}; the rows behind it were not checked")
        run = _make_run(results, notes)
        run["properties"] = {"rows": report.num_rows, "rowsWithErrors": report.num_rows_with_errors}
        log = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}
        self._context.write(json.dumps(log, ensure_ascii=False, indent=1) + "\n")

    def _results(self) -> tuple[list[tuple[Finding, int]], list[str]]:
        """Return findings with the number that each stands for, and what is to be said about them."""
        if len(self._kept) <= MOST_RESULTS:
            return [(finding, 1) for finding in self._kept], []
        groups = sorted(self._groups.by_path_and_code.values(), key=lambda g: (g.first[0].severity.rank, -g.count))
        total = sum(group.count for group in groups)
        shown = groups[:MOST_RESULTS]
        folded = sum(group.count for group in shown) - len(shown)
        notes = [
            f"{total:,} findings are more than the {MOST_RESULTS:,} results that GitHub shows: {folded:,} of them are "
            f"folded into {len(shown):,} results, one for each rule in each file; use --format jsonl for all"
        ]
        if len(groups) > len(shown):
            notes.append(f"{sum(group.count for group in groups[MOST_RESULTS:]):,} findings are left out")
        return [(group.first[0], group.count) for group in shown], notes


def _make_run(results: list[tuple[Finding, int]], notes: list[str]) -> dict[str, Any]:
    codes = sorted({finding.code for finding, _ in results})
    index = {code: number for number, code in enumerate(codes)}
    notifications = [{"level": "warning", "message": {"text": note}} for note in notes]
    return {
        "tool": {
            "driver": {
                "name": "dataprep",
                "semanticVersion": __version__,
                "rules": [_rule(code) for code in codes],
            }
        },
        "automationDetails": {"id": "dataprep/lint/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
        "results": _results_of(results, index),
    }


def _rule(code: str) -> dict[str, Any]:
    rule, page = RULES[code], rule_page(code)
    summary = page.split("\n\n")[2].strip()
    return {
        "id": code,
        "name": "".join(word.title() for word in rule.name.split("-")),
        "shortDescription": {"text": summary},
        "fullDescription": {"text": summary},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.__module__.split(".")[-2]]},
    }


def _results_of(results: list[tuple[Finding, int]], index: dict[str, int]) -> list[dict[str, Any]]:
    seen: Counter[BaselineEntry] = Counter()
    made = []
    for finding, count in results:
        entry = entry_of(finding)
        seen[entry] += 1
        result = _result(finding, count, index[finding.code])
        result["partialFingerprints"] = {"dataprepBaseline/v1": f"{entry.code}:{entry.row or entry.path}"}
        if entry.row:
            # The one that GitHub goes by: the same row is the same alert wherever it stands.
            result["partialFingerprints"]["primaryLocationLineHash"] = f"{entry.row}:{seen[entry]}"
        made.append(result)
    return made


def _result(finding: Finding, count: int, rule_index: int) -> dict[str, Any]:
    more = f" (+{count - 1:,} more of {finding.code} in this file)" if count > 1 else ""
    artifact = {"uri": file_uri(finding.location.path)}
    if not artifact["uri"].startswith("file:"):
        artifact["uriBaseId"] = "%SRCROOT%"
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": describe(finding) + more},
        "locations": [
            {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": max(1, finding.location.line)}}}
        ],
    }
    if count > 1:
        result["occurrenceCount"] = count
    return result
