"""What a worker says about one chunk of a data file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dataprep.corpus import Facts
from dataprep.findings import Finding, Location
from dataprep.media.trail import Trail
from dataprep.rules.base import CheckedRow

UNREADABLE = "unreadable"
"""What takes the place of a row's format where it has none."""


@dataclass(frozen=True, slots=True)
class ChunkVerdict:
    """What was found in one chunk.

    Attributes:
        path: The data file.
        num_rows: Rows of the chunk.
        formats: How many of them are of each format.
        findings: The rows with findings: number of the row in the chunk, from 0, and its findings, errors first.
        facts: What the rules about whole data sets need to know.
        has_videos: Whether any of the rows has a video.
        trail: Which media were looked at; None unless that was asked for.
    """

    path: str
    num_rows: int
    formats: dict[str, int]
    findings: list[tuple[int, list[Finding]]]
    facts: Facts
    has_videos: bool = False
    trail: Trail | None = None


def has_videos(row: CheckedRow) -> bool:
    """Return whether a row has a video."""
    return row.record is not None and bool(row.record.videos)


@dataclass(frozen=True, slots=True)
class CheckedChunk:
    """What a worker hands back for one task.

    Attributes:
        path: The data file.
        verdicts: What was found, in the order of the rows.
        num_lines: Lines of the chunk, if its lines were counted from its beginning, because its place was not known;
            facts hold no lines then.
    """

    path: str
    verdicts: list[ChunkVerdict]
    num_lines: int | None = None


def join_quiet(verdicts: list[ChunkVerdict]) -> list[ChunkVerdict]:
    """Return the verdicts on consecutive chunks of a file as one, if nothing was collected: cheaper to hand over."""
    if len(verdicts) < 2 or any(verdict.facts.lines for verdict in verdicts):
        return verdicts
    first = verdicts[0]
    num_rows, formats, findings = 0, Counter[str](), []
    for verdict in verdicts:
        if first.trail is not None and verdict.trail is not None and verdict is not first:
            first.trail.extend(verdict.trail)
        findings += [(num_rows + number, found) for number, found in verdict.findings]
        num_rows += verdict.num_rows
        formats.update(verdict.formats)
    any_videos = any(verdict.has_videos for verdict in verdicts)
    return [ChunkVerdict(first.path, num_rows, dict(formats), findings, first.facts, any_videos, first.trail)]


def place_verdicts(chunks: Iterable[CheckedChunk]) -> Iterator[ChunkVerdict]:
    """Yield the verdicts of chunks in the order of their rows, with findings at the lines of the file."""
    lines_before: Counter[str] = Counter()
    for chunk in chunks:
        if chunk.num_lines is None:
            yield from chunk.verdicts
            continue
        for verdict in chunk.verdicts:
            yield _moved(verdict, lines_before[chunk.path])
        lines_before[chunk.path] += chunk.num_lines


def _moved(verdict: ChunkVerdict, lines: int) -> ChunkVerdict:
    assert not verdict.facts.lines
    if not lines or not verdict.findings:
        return verdict
    moved = [(number, [_moved_finding(finding, lines) for finding in found]) for number, found in verdict.findings]
    return replace(verdict, findings=moved)


def _moved_finding(finding: Finding, lines: int) -> Finding:
    return replace(finding, location=Location(finding.location.path, finding.location.line + lines))


def format_of(row: CheckedRow) -> str:
    """Return the name of a row's format; :data:`UNREADABLE` if it has none."""
    return row.record.row_format if row.record is not None else UNREADABLE
