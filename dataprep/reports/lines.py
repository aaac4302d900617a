"""The formats of one line each: ``concise`` for people and editors, ``drops`` for scripts that take rows out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dataprep.findings import Finding, Severity
from dataprep.linting import LintReport
from dataprep.reports.reporter import ReportContext
from dataprep.reports.visible import plain

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class ConciseReporter:
    """One line per finding, ``path:line: field: CODE message``, printed as soon as it is found."""

    def __init__(self, context: ReportContext) -> None:
        self._write = context.write

    def take(self, findings: Sequence[Finding]) -> None:
        """Print findings."""
        for finding in findings:
            field = f" {plain(finding.field)}:" if finding.field else ""
            place = plain(str(finding.location))
            self._write(f"{place}:{field} {finding.code} {plain(finding.message)}\n")

    def finish(self, report: LintReport) -> None:
        """Print nothing more."""


class DropsReporter:
    """One line per row, ``path TAB line TAB codes``, for rows with findings that make the run fail.

    With ``--fail-on never`` these are the rows with errors. Rules about whole data sets speak last, so a row that one
    of them names may have a second line.
    """

    def __init__(self, context: ReportContext) -> None:
        self._write = context.write
        self._least = Severity("error" if context.report.fail_on == "never" else context.report.fail_on)

    def take(self, findings: Sequence[Finding]) -> None:
        """Print a line for each row."""
        codes: dict[tuple[str, int], dict[str, None]] = {}
        for finding in findings:
            if finding.location.line and finding.severity.rank <= self._least.rank:
                codes.setdefault((finding.location.path, finding.location.line), {})[finding.code] = None
        for (path, line), found in codes.items():
            # A path is left as it is but for what would break the line.
            name = _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), path)
            self._write(f"{name}\t{line}\t{','.join(found)}\n")

    def finish(self, report: LintReport) -> None:
        """Print nothing more."""
