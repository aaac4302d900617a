"""Lint on one page: data files -> rows -> rules -> report. Changes nothing on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from dataprep.config import LintConfig
from dataprep.findings import Finding, Severity
from dataprep.pool import run_ordered
from dataprep.rules.base import CheckedRow, Level
from dataprep.rules.runner import CheckerRecipe, CheckerSet
from dataprep.sources import RawRow, expand_paths, read_rows

CHUNK_ROWS = 512
CHUNK_BYTES = 4 << 20
UNREADABLE = "unreadable"
"""What takes the place of a row's format where it has none."""
_VIDEO_WEIGHT_BYTES = 64 << 10


@dataclass(slots=True)
class FileSummary:
    """One data file: its path, its number of rows, and how many rows are of each format."""

    path: str
    rows: int = 0
    formats: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class LintReport:
    """What lint found.

    Attributes:
        files: One summary per data file, in the order given.
        findings: All findings, in row order.
        num_rows: Rows checked.
        num_rows_with_errors: Rows that conversion would reject.
        level: How far up the ladder rows were taken.
        model_type: The model that the data was checked for, or None.
    """

    files: list[FileSummary] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    num_rows: int = 0
    num_rows_with_errors: int = 0
    level: Level = Level.MEDIA
    model_type: str | None = None

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error."""
        return self.num_rows_with_errors > 0


@dataclass(frozen=True, slots=True)
class _Verdict:
    path: str
    row_format: str
    findings: list[Finding]


def lint(
    paths: list[str], config: LintConfig | None = None, *, progress: Callable[[int], None] = lambda rows: None
) -> LintReport:
    """Check data files.

    Args:
        paths: Data files or folders of them; ``-`` is standard input.
        config: How to check; the defaults are those of the command line.
        progress: Called with the number of rows checked since the last call.

    Raises:
        DataprepError: If a file cannot be read or an option cannot be used.
    """
    config = config or LintConfig()
    level = Level(config.level) if config.level is not None else Level.TOKENS if config.model else Level.MEDIA
    recipe = CheckerRecipe(config, level)
    recipe()  # fail on a bad option here, not in a worker
    report = LintReport(level=level, model_type=config.model_type)
    files = expand_paths(paths)
    summaries = {path: FileSummary(path) for path in files}
    report.files = list(summaries.values())
    chunks = (chunk for path in summaries for chunk in cut_chunks(read_rows(path)))
    for verdicts in run_ordered(_check_chunk, chunks, build=recipe, jobs=config.jobs):
        for verdict in verdicts:
            summary = summaries[verdict.path]
            summary.rows += 1
            summary.formats[verdict.row_format] += 1
            report.findings += verdict.findings
            report.num_rows_with_errors += any(f.severity is Severity.ERROR for f in verdict.findings)
        report.num_rows += len(verdicts)
        progress(len(verdicts))
    return report


def _check_chunk(checkers: CheckerSet, rows: list[RawRow]) -> list[_Verdict]:
    checked = checkers.for_file(rows[0].location.path).check_all(rows)
    return [_Verdict(row.raw.location.path, format_of(row), row.findings) for row in checked]


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
