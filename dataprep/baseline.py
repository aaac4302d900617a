"""Accepted findings: a JSON file of rule codes and row hashes, sorted, so that it merges and reads like code.

An entry speaks of a row by the hash of its content, not by its line: rows may move, and others may come and go. A
finding about a file as a whole is accepted by its path. An entry that no finding of a complete run needs any more is
a finding itself (C704), so that a baseline only ever shrinks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataprep.errors import ConfigError
from dataprep.findings import Finding
from dataprep.shards.atomic import atomic_file

BASELINE_VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class BaselineEntry:
    """One accepted finding.

    Attributes:
        code: Rule code.
        row: Hash of the canonical row, 32 hexadecimal digits; empty for a finding about a file.
        path: The data file, for a finding about a file; empty for one about a row.
    """

    code: str
    row: str = ""
    path: str = ""

    def __str__(self) -> str:
        return f"{self.code} of {f'row {self.row}' if self.row else self.path}"


def entry_of(finding: Finding) -> BaselineEntry:
    """Return the entry that accepts a finding."""
    if finding.row_hash:
        return BaselineEntry(finding.code, row=finding.row_hash.hex())
    return BaselineEntry(finding.code, path=str(finding.location))


@dataclass(slots=True)
class Baseline:
    """The accepted findings, and which of them a run has met.

    Attributes:
        path: The file, or None.
        entries: What is accepted.
        met: Entries of ``entries`` that some finding needed.
        num_accepted: Findings that were accepted.
    """

    path: Path | None = None
    entries: frozenset[BaselineEntry] = frozenset()
    met: set[BaselineEntry] = field(default_factory=set)
    num_accepted: int = 0

    def without_accepted(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        """Return the findings that are not accepted, and remember the entries that accept the others."""
        if not self.entries or not findings:
            return findings
        kept = []
        for finding in findings:
            entry = entry_of(finding)
            if entry in self.entries:
                self.met.add(entry)
                self.num_accepted += 1
            else:
                kept.append(finding)
        return kept

    def unmet(self, codes: Iterable[str]) -> list[BaselineEntry]:
        """Return the entries for some codes that no finding needed, sorted."""
        wanted = set(codes)
        return sorted(entry for entry in self.entries - self.met if entry.code in wanted)


def read_baseline(path: Path | None, *, may_be_missing: bool = False) -> Baseline:
    """Read a baseline.

    Args:
        path: The file; None is an empty baseline.
        may_be_missing: Whether a missing file is an empty baseline rather than an error.

    Raises:
        ConfigError: If the file cannot be read or is no baseline.
    """
    if path is None or (may_be_missing and not path.exists()):
        return Baseline(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        step = "make it with --update-baseline" if isinstance(error, FileNotFoundError) else "check its permissions"
        raise ConfigError(f"the baseline {path} cannot be read ({error.strerror}); {step}") from error
    except ValueError as error:
        raise ConfigError(f"the baseline {path} is no JSON ({error}); make it anew with --update-baseline") from error
    return Baseline(path, _read_entries(value, path))


def _read_entries(value: object, path: Path) -> frozenset[BaselineEntry]:
    version = value.get("version") if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(version, int) and version != BASELINE_VERSION:
        raise ConfigError(
            f"the baseline {path} has version {version}, this release reads {BASELINE_VERSION}; "
            "make it anew with --update-baseline"
        )
    entries = value.get("entries") if isinstance(value, dict) and version else None
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise ConfigError(f"{path} is no baseline of dataprep; make one with --update-baseline")
    return frozenset(BaselineEntry(**entry) for entry in entries)


def _is_entry(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() in ({"code", "row"}, {"code", "path"})
        and all(isinstance(text, str) and text for text in value.values())
    )


def write_baseline(path: Path, entries: Iterable[BaselineEntry]) -> None:
    """Write a baseline; the bytes depend on the entries alone.

    Raises:
        DataprepError: If the file cannot be written.
    """
    values = [
        {"code": entry.code, **({"row": entry.row} if entry.row else {"path": entry.path})}
        for entry in sorted(set(entries))
    ]
    # One entry per line: a change of one finding is a change of one line.
    lines = ",\n".join(f"    {json.dumps(value)}" for value in values)
    text = f'{{\n  "version": {BASELINE_VERSION},\n  "entries": [\n{lines}\n  ]\n}}\n'
    with atomic_file(path) as file:
        file.write(text.encode())
