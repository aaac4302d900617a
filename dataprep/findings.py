"""What a check says about a row: plain data, made by rules, printed by reports, stored in ledgers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters. An error rejects the row in conversion; the others do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the most severe."""
        return _SEVERITY_RANKS[self]


_SEVERITY_RANKS = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Where a row stands.

    Attributes:
        path: The data file, as the user named it.
        line: 1-based line; in a JSON array the line on which the element begins.
    """

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What one rule found in one row, before the runner adds code, severity and place.

    Attributes:
        message: What is wrong, with the value and the limit, in one sentence without a full stop.
        field: JSON path inside the row, such as ``objects[3].bbox``; empty for the whole row.
        help: One next step, or None.
    """

    message: str
    field: str = ""
    help: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem with its rule and its place.

    Attributes:
        code: Rule code, such as ``M301``.
        name: Rule name, such as ``image-file-missing``.
        severity: How much it matters in this run.
        location: The row.
        field: JSON path inside the row; empty for the whole row.
        message: What is wrong.
        help: One next step, or None.
    """

    code: str
    name: str
    severity: Severity
    location: Location
    field: str
    message: str
    help: str | None = None
