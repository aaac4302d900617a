"""A copy of the rows as JSON Lines in which every row with findings says so itself, under ``_lint``.

Rows without findings are copied byte for byte; in the others ``_lint`` is put before the last brace and all else stays
as it is. A row that cannot be parsed is kept whole as text: ``{"_lint": [...], "_line": "the row"}``. Marks of an
earlier run are taken out. Findings wait in a temporary file until the rows are read again, so memory holds only those
about whole data sets.

``_lint`` is no part of a row's content: hashes of rows leave it out (``dataprep.records.hash_row``), and no rule takes
it for an unknown field.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from dataprep.errors import ConfigError
from dataprep.findings import Finding
from dataprep.linting import LintReport
from dataprep.parsing import parse_row
from dataprep.records import ANNOTATION
from dataprep.reports.reporter import ReportContext
from dataprep.sources import RawRow, read_rows

RAW_LINE = "_line"


class AnnotatedReporter:
    """The rows of all data files, one after the other, with what was found in each."""

    def __init__(self, context: ReportContext) -> None:
        if context.lint.sample is not None or context.lint.max_findings is not None:
            raise ConfigError("--format annotated copies all rows; leave out --sample and --max-findings")
        for path in context.paths:
            if not Path(path).is_file():
                raise ConfigError(f"--format annotated reads its files twice, and {path} can be read once; name a file")
        self._context = context
        self._spool: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogatepass")  # noqa: SIM115
        self._order = {path: number for number, path in enumerate(context.paths)}
        self._last = (0, 0)
        self._late: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def take(self, findings: Sequence[Finding]) -> None:
        """Remember the findings of a row, or some that come when all rows have been seen."""
        for finding in findings:
            path, line = finding.location.path, finding.location.line
            if path not in self._order or not line:
                continue  # about a file as a whole
            place = (self._order[path], line)
            if place >= self._last:
                self._last = place
                self._spool.write(json.dumps([path, line, mark(finding)]) + "\n")
            else:
                self._late.setdefault((path, line), []).append(mark(finding))

    def finish(self, report: LintReport) -> None:
        """Write the rows."""
        with self._spool:
            self._spool.seek(0)
            marks = _read_marks(self._spool)
            following = next(marks, None)
            for summary in report.files:
                for row in read_rows(summary.path):
                    place = (row.location.path, row.location.line)
                    found: list[dict[str, Any]] = []
                    while following is not None and following[0] == place:
                        found.append(following[1])
                        following = next(marks, None)
                    self._context.write(annotate(row, found + self._late.get(place, [])) + "\n")


def _read_marks(spool: IO[str]) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    for line in spool:
        path, number, found = json.loads(line)
        yield (path, number), found


def mark(finding: Finding) -> dict[str, Any]:
    """Return what a row says of a finding."""
    shown = {
        "code": finding.code, "severity": finding.severity.value, "field": finding.field,
        "message": finding.message, "help": finding.help,
    }  # fmt: skip
    return {name: value for name, value in shown.items() if value}


def annotate(row: RawRow, found: list[dict[str, Any]]) -> str:
    """Return a row as one line of JSON with the marks of its findings."""
    value, problem = parse_row(row)
    if value is None or problem is not None:
        text = row.text.decode("utf-8", "backslashreplace")
        return _dump({ANNOTATION: found, RAW_LINE: text}) if found or b"\n" in row.text else text
    text = row.text.decode("utf-8")
    if ANNOTATION in value or "\n" in text:
        value.pop(ANNOTATION, None)
        text = _dump(value)
    if not found:
        return text
    comma = ", " if len(value) > (ANNOTATION in value) else ""
    return f"{text.rstrip()[:-1].rstrip()}{comma}{_dump(ANNOTATION)}: {_dump(found)}}}"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
