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
        line: 1-based line; in a JSON array the line on which the element begins; 0 for the file as a whole.
    """

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change inside a row.

    Attributes:
        path: Keys and list indices from the row down to what changes; what is not there yet is added.
        value: The new JSON value; meaningless if ``removes``.
        removes: Whether the key or entry is taken out.
    """

    path: tuple[str | int, ...]
    value: object = None
    removes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """How a row can be mended, as a value: nothing is changed until somebody applies it.

    Attributes:
        label: What the fix does, as an imperative: ``rename bbox_typ to bbox_type``.
        is_safe: Whether the row means after it what its author meant, beyond doubt.
        edits: Changes inside the row, applied in order.
        text: The whole row spelled anew, for rows that cannot be parsed; None otherwise.
        drops_row: Whether the row is left out.
    """

    label: str
    is_safe: bool
    edits: tuple[Edit, ...] = ()
    text: bytes | None = None
    drops_row: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What one rule found in one row, before the runner adds code, severity and place.

    Attributes:
        message: What is wrong, with the value and the limit, in one sentence without a full stop.
        field: JSON path inside the row, such as ``objects[3].bbox``; empty for the whole row.
        help: One next step, or None.
        fix: How the row can be mended, or None.
    """

    message: str
    field: str = ""
    help: str | None = None
    fix: Fix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusProblem:
    """What a rule about whole data sets found, before the runner adds code and severity.

    Attributes:
        location: The row that it is about, or a file (line 0).
        message: What is wrong, with the value and the limit, in one sentence without a full stop.
        field: JSON path inside the row; empty for the whole row or file.
        help: One next step, or None.
    """

    location: Location
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
        fix: How the row can be mended, or None.
        row_hash: Hash of the canonical row, 16 bytes; empty for findings about files.
    """

    code: str
    name: str
    severity: Severity
    location: Location
    field: str
    message: str
    help: str | None = None
    fix: Fix | None = None
    row_hash: bytes = b""
