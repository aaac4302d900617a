"""What a worker says about one chunk of a data file."""

from __future__ import annotations

from dataclasses import dataclass

from dataprep.corpus import Facts
from dataprep.findings import Finding
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


def format_of(row: CheckedRow) -> str:
    """Return the name of a row's format; :data:`UNREADABLE` if it has none."""
    return row.record.row_format if row.record is not None else UNREADABLE
