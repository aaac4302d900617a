"""JUnit XML, which most servers for continuous integration show: a suite per data file, a test case per rule.

A rule that found something which makes the run fail is a failed test with its first findings; other findings are
output of a test that passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from dataprep.findings import Finding
from dataprep.linting import FileSummary, LintReport
from dataprep.reports.groups import Group, Groups
from dataprep.reports.reporter import ReportContext
from dataprep.reports.visible import describe, make_visible, plain
from dataprep.rules.selection import severities_for
from dataprep.rules.table import RULES
from dataprep.wording import counted

MOST_SHOWN = 20


class JunitReporter:
    """One XML document; shows the first 20 findings of each rule in each file."""

    def __init__(self, context: ReportContext) -> None:
        self._context = context
        self._groups = Groups(MOST_SHOWN)

    def take(self, findings: Sequence[Finding]) -> None:
        """Remember findings."""
        self._groups.take(findings)

    def finish(self, report: LintReport) -> None:
        """Write the document."""
        paths = dict.fromkeys(summary.path for summary in report.files)
        paths |= dict.fromkeys(path for path, _ in self._groups.by_path_and_code)
        rows = {summary.path: summary for summary in report.files}
        suites = [self._suite(path, rows.get(path, FileSummary(path)), report) for path in paths]
        tests, failures = sum(suite[1] for suite in suites), sum(suite[2] for suite in suites)
        self._context.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        self._context.write(f'<testsuites name="dataprep lint" tests="{tests}" failures="{failures}" errors="0">\n')
        for text, _, _ in suites:
            self._context.write(text)
        self._context.write("</testsuites>\n")

    def _suite(self, path: str, summary: FileSummary, report: LintReport) -> tuple[str, int, int]:
        """Return the XML of a file, its number of tests and its number of failures."""
        codes = [c for c in severities_for(self._context.lint.rules, path) if RULES[c].level in report.levels]
        groups = {code: group for (where, code), group in self._groups.by_path_and_code.items() if where == path}
        codes += [code for code in groups if code not in codes]
        cases = [self._case(path, code, groups.get(code)) for code in codes]
        failures = sum("<failure" in case for case in cases)
        head = f'  <testsuite name={_attribute(path)} tests="{len(cases)}" failures="{failures}" errors="0">\n'
        rows = f'    <properties><property name="rows" value="{summary.rows}"/></properties>\n'
        return head + rows + "".join(cases) + "  </testsuite>\n", len(cases), failures

    def _case(self, path: str, code: str, group: Group | None) -> str:
        name = f"<testcase classname={_attribute(path)} name={_attribute(f'{code} {RULES[code].name}')}"
        if group is None:
            return f"    {name}/>\n"
        lines = [f"{plain(str(finding.location))}: {describe(finding)}" for finding in group.first]
        if group.count > len(lines):
            lines.append(f"+{group.count - len(lines):,} more")
        text, first = escape("\n".join(lines)), group.first[0]
        if not self._context.fails(first.severity):
            return f"    {name}><system-out>{text}</system-out></testcase>\n"
        message = _attribute(f"{counted(group.count, 'finding')}, the first: {describe(first)}")
        kind = _attribute(first.severity.value)
        return f"    {name}><failure message={message} type={kind}>{text}</failure></testcase>\n"


def _attribute(text: str) -> str:
    # XML 1.0 has no way to write most control characters; visible, they are escapes.
    return quoteattr(make_visible(text))
