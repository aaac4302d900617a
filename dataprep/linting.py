"""Lint on one page: data files -> rows -> rules -> report. Changes nothing on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from dataprep.config import LintConfig
from dataprep.corpus import Corpus, Facts
from dataprep.findings import Finding, Severity
from dataprep.pool import run_ordered
from dataprep.rules.base import CheckedRow, Level
from dataprep.rules.runner import FOR_CONVERSION, UP_TO_MEDIA, CheckerRecipe, CheckerSet, check_corpus
from dataprep.sources import RawRow, expand_paths, read_rows

CHUNK_ROWS = 512
CHUNK_BYTES = 4 << 20
UNREADABLE = "unreadable"
"""What takes the place of a row's format where it has none."""
_VIDEO_WEIGHT_BYTES = 64 << 10
MOST_KEPT = 100_000
"""Findings that a report holds; more are only counted, so that memory stays bounded."""
_FIRST_FINDINGS = 3


@dataclass(slots=True)
class FileSummary:
    """One data file: its path, its number of rows, and how many rows are of each format."""

    path: str
    rows: int = 0
    formats: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class CodeSummary:
    """All findings of one rule: how many, of how many rows, and the first few."""

    severity: Severity
    findings: int = 0
    rows: int = 0
    first: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class LintReport:
    """What lint found.

    Attributes:
        files: One summary per data file, in the order given.
        findings: The findings in row order, those about whole data sets last; at most :data:`MOST_KEPT` of them.
        by_code: Counts of all findings.
        num_rows: Rows checked.
        num_rows_with_errors: Rows that conversion would reject.
        levels: The rungs of the ladder that rows were taken to.
        model_type: The model that the data was checked for, or None.
    """

    files: list[FileSummary] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    by_code: dict[str, CodeSummary] = field(default_factory=dict)
    num_rows: int = 0
    num_rows_with_errors: int = 0
    levels: frozenset[Level] = UP_TO_MEDIA
    model_type: str | None = None

    def add(self, findings: Sequence[Finding]) -> None:
        """Take in what was found in one row, or about the whole."""
        self.findings += findings[: max(0, MOST_KEPT - len(self.findings))]
        for finding in findings:
            summary = self.by_code.setdefault(finding.code, CodeSummary(finding.severity))
            summary.findings += 1
            if len(summary.first) < _FIRST_FINDINGS:
                summary.first.append(finding)
        for code in {finding.code for finding in findings}:
            self.by_code[code].rows += 1

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(summary.findings for summary in self.by_code.values() if summary.severity is severity)

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error."""
        return self.count(Severity.ERROR) > 0


@dataclass(frozen=True, slots=True)
class _Verdict:
    path: str
    row_format: str
    findings: list[Finding]


def lint(
    paths: list[str],
    config: LintConfig | None = None,
    *,
    progress: Callable[[int], None] = lambda rows: None,
    on_findings: Callable[[Sequence[Finding]], None] = lambda findings: None,
) -> LintReport:
    """Check data files.

    Args:
        paths: Data files or folders of them; ``-`` is standard input.
        config: How to check; the defaults are those of the command line.
        progress: Called with the number of rows checked since the last call.
        on_findings: Called with findings as they are made, for reports that keep none.

    Raises:
        DataprepError: If a file cannot be read or an option cannot be used.
    """
    config = config or LintConfig()
    recipe = CheckerRecipe(config, levels_of(config), config.rules)
    recipe()  # fail on a bad option here, not in a worker
    report = LintReport(levels=recipe.levels, model_type=config.model_type)
    val_paths = expand_paths(list(config.val))
    summaries = {path: FileSummary(path) for path in [*expand_paths(paths), *val_paths]}
    report.files = list(summaries.values())
    corpus = Corpus(paths=list(summaries), val_paths=frozenset(val_paths))
    chunks = (chunk for path in summaries for chunk in cut_chunks(read_rows(path)))
    for verdicts, facts in run_ordered(_check_chunk, chunks, build=recipe, jobs=config.jobs):
        corpus.add(verdicts[0].path, facts)
        for verdict in verdicts:
            summary = summaries[verdict.path]
            summary.rows += 1
            summary.formats[verdict.row_format] += 1
            report.num_rows_with_errors += any(f.severity is Severity.ERROR for f in verdict.findings)
            if verdict.findings:
                report.add(verdict.findings)
                on_findings(verdict.findings)
        report.num_rows += len(verdicts)
        progress(len(verdicts))
    for findings in check_corpus(corpus, recipe):
        report.add(findings)
        on_findings(findings)
    return report


def levels_of(config: LintConfig) -> frozenset[Level]:
    """Return the rungs of the ladder that a configuration asks for."""
    if config.level is not None:
        return frozenset(level for level in Level if level <= config.level)
    return FOR_CONVERSION if config.model else UP_TO_MEDIA


def _check_chunk(checkers: CheckerSet, rows: list[RawRow]) -> tuple[list[_Verdict], Facts]:
    path = rows[0].location.path
    checked = checkers.for_file(path).check_all(rows)
    verdicts = [_Verdict(path, format_of(row), row.findings) for row in checked]
    return verdicts, checkers.new_collector(path).add_all(checked)


def format_of(row: CheckedRow) -> str:
    """Return the name of a row's format; :data:`UNREADABLE` if it has none."""
    return row.record.row_format if row.record is not None else UNREADABLE


def cut_chunks(rows: Iterable[RawRow]) -> Iterator[list[RawRow]]:
    """Yield rows in lists that are small enough to hand to a worker; where they end depends on the rows alone."""
    rows = iter(rows)
    while chunk := list(islice(rows, 1)):
        size = _weigh(chunk[0])
        while len(chunk) < CHUNK_ROWS and size < CHUNK_BYTES:
            more = next(rows, None)
            if more is None:
                break
            chunk.append(more)
            size += _weigh(more)
        yield chunk


def _weigh(row: RawRow) -> int:
    # The frames of a video are held until the chunk is done: fewer of such rows make a chunk.
    return len(row.text) + (_VIDEO_WEIGHT_BYTES if b"video" in row.text else 0)
