"""The lint report as one self-contained page: counts, a chart, and the first findings of each rule with pictures.

Everything that came from data is made visible and escaped by the template; pictures are inlined, the chart is SVG,
nothing is fetched and no script runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataprep import __version__
from dataprep.findings import Finding, Severity
from dataprep.linting import LintReport
from dataprep.reports.reporter import ReportContext
from dataprep.reports.rule_pages import rule_page
from dataprep.reports.text import by_weight
from dataprep.reports.visible import make_visible, plain
from dataprep.rules.table import RULES

MOST_SHOWN = 6
MOST_BARS = 16
_MOST_FILES = 200
_BAR_HEIGHT, _BAR_SPACE = 22, 380


class HtmlReporter:
    """One page; shows the first six findings of each rule."""

    def __init__(self, context: ReportContext) -> None:
        self._context = context
        self._first: dict[str, list[Finding]] = {}

    def take(self, findings: Sequence[Finding]) -> None:
        """Remember the first findings of each rule."""
        for finding in findings:
            first = self._first.setdefault(finding.code, [])
            if len(first) < MOST_SHOWN:
                first.append(finding)

    def finish(self, report: LintReport) -> None:
        """Write the page."""
        from dataprep.reports.thumbnails import draw_thumbnails

        # What can be read only once, such as standard input, is gone by now.
        again = (f for first in self._first.values() for f in first if Path(f.location.path).is_file())
        pictures = draw_thumbnails(again, self._context.lint)
        groups = [
            _group(code, [(f, pictures.get((f.location, f.field))) for f in self._first[code]], report)
            for code, _ in by_weight(report)
        ]
        self._context.write(_render(_content(report, groups)))


def _render(content: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dataprep.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(content)


def _content(report: LintReport, groups: list[dict[str, Any]]) -> dict[str, Any]:
    files = [
        {"path": plain(f.path), "rows": f.rows, "formats": ", ".join(f"{n:,} {name}" for name, n in f.formats.items())}
        for f in report.files[:_MOST_FILES]
    ]
    return {
        "version": __version__,
        "model_type": report.model_type,
        "rows": report.num_rows,
        "rejected": report.num_rows_with_errors,
        "errors": report.count(Severity.ERROR),
        "warnings": report.count(Severity.WARNING),
        "infos": report.count(Severity.INFO),
        "accepted": report.num_accepted,
        "sampled_from": report.sampled_from,
        "stopped": None if report.stopped is None else plain(report.stopped),
        "files": files,
        "more_files": len(report.files) - len(files),
        "groups": groups,
        "budget": _budget(report),
        "bars": _bars(report),
        "more_bars": max(0, len(report.by_code) - MOST_BARS),
    }


def _budget(report: LintReport) -> str | None:
    if report.budget is None:
        return None
    from dataprep.reports.budget_text import budget_lines

    return "\n".join(make_visible(line) for line in budget_lines(report.budget))


def _bars(report: LintReport) -> list[dict[str, Any]]:
    """Return the bars of the chart: where each begins, how long it is, and what stands beside it."""
    found = by_weight(report)[:MOST_BARS]
    most = max((summary.rows for _, summary in found), default=1)
    return [
        {
            "code": code,
            "y": number * _BAR_HEIGHT,
            "width": round(max(2.0, _BAR_SPACE * summary.rows / most), 1),
            "rows": summary.rows,
            "severity": summary.severity.value,
            "name": RULES[code].name,
        }
        for number, (code, summary) in enumerate(found)
    ]


def _group(code: str, shown: list[tuple[Finding, str | None]], report: LintReport) -> dict[str, Any]:
    summary = report.by_code[code]
    sections = dict(section.partition("\n")[::2] for section in rule_page(code).split("\n## ")[1:])
    return {
        "code": code,
        "name": RULES[code].name,
        "severity": summary.severity.value,
        "findings": summary.findings,
        "rows": summary.rows,
        "fixable": summary.fixable,
        "more": summary.findings - len(shown),
        "what": sections["What it does"].strip(),
        "why": sections["Why it matters"].strip(),
        "help": next((plain(f.help) for f, _ in shown if f.help), None),
        "shown": [
            {
                "place": plain(str(finding.location)),
                "field": plain(finding.field),
                "message": plain(finding.message),
                "picture": picture,
            }
            for finding, picture in shown
        ],
    }
