"""What every format of a lint report is: something that is told of findings as they are made, then of the end.

Formats that print each finding at once keep nothing; the others keep a bounded number of findings and count the rest.
Each format is a module of its own and is loaded when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, cast

from dataprep.config import LintConfig, ReportConfig
from dataprep.findings import Finding, Severity
from dataprep.linting import LintReport

_CLASSES = {
    "text": "dataprep.reports.text:TextReporter",
    "concise": "dataprep.reports.lines:ConciseReporter",
    "json": "dataprep.reports.json_report:JsonReporter",
    "jsonl": "dataprep.reports.json_report:JsonLinesReporter",
    "github": "dataprep.reports.github:GithubReporter",
    "sarif": "dataprep.reports.sarif:SarifReporter",
    "junit": "dataprep.reports.junit:JunitReporter",
    "html": "dataprep.reports.html:HtmlReporter",
    "drops": "dataprep.reports.lines:DropsReporter",
    "annotated": "dataprep.reports.annotated:AnnotatedReporter",
}
FOR_PEOPLE = ("text", "concise", "github")
"""Formats that are written in the encoding of the terminal; the others are UTF-8."""


class Reporter(Protocol):
    """One format of a report."""

    def take(self, findings: Sequence[Finding]) -> None:
        """Take in the findings of one row, or those about the whole, in the order in which they are made."""

    def finish(self, report: LintReport) -> None:
        """Write what is left to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContext:
    """What a format is given.

    Attributes:
        write: Appends text to the report.
        say: Tells whoever runs the command something that is no part of the report.
        report: How to report.
        lint: How the rows were checked.
        paths: The data files, in the order in which they are checked.
        has_colours: Whether the report goes to a terminal that shows colours.
    """

    write: Callable[[str], object]
    say: Callable[[str], None]
    report: ReportConfig = field(default_factory=ReportConfig)
    lint: LintConfig = field(default_factory=LintConfig)
    paths: tuple[str, ...] = ()
    has_colours: bool = False

    def fails(self, severity: Severity) -> bool:
        """Whether a finding of this severity makes the run fail."""
        return self.report.fail_on != "never" and severity.rank <= Severity(self.report.fail_on).rank


def make_reporter(context: ReportContext) -> Reporter:
    """Return the reporter for a format."""
    module, _, name = _CLASSES[context.report.format].partition(":")
    return cast(Reporter, getattr(import_module(module), name)(context))
