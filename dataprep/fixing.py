"""Mend rows: check, apply fixes, check again, until nothing is left to apply. The input is never written to.

Each data file becomes a new file of JSON Lines, one row per line: rows without a fix are copied byte for byte (elements
of an array are put on one line), blank lines are left out, compressed input is written uncompressed. Beside it a ledger
says what was done to which row. Both appear whole or not at all, and neither if there was nothing to mend.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataprep.baseline import Baseline
from dataprep.blocks import cut_chunks
from dataprep.config import LintConfig
from dataprep.errors import ConfigError, SourceError
from dataprep.findings import Finding, Fix
from dataprep.linting import levels_of
from dataprep.parsing import parse_row
from dataprep.pool import run_ordered
from dataprep.row_hashes import hash_raw
from dataprep.rules.base import CheckedRow
from dataprep.rules.fixes import apply_fixes
from dataprep.rules.runner import CheckerRecipe, CheckerSet, RowChecker
from dataprep.shards.atomic import atomic_file
from dataprep.sources import MAX_ROW_BYTES, RawRow, read_rows

MOST_ROUNDS = 10
"""How often one row is checked and mended; real rows need two."""
_BOM = b"\xef\xbb\xbf"
_LINE_BREAK = re.compile(rb"\s*[\r\n]\s*")


@dataclass(frozen=True, slots=True)
class AppliedFix:
    """One fix that was applied: by which rule, and what it does."""

    code: str
    label: str
    is_safe: bool


@dataclass(frozen=True, slots=True)
class MendedRow:
    """A row after mending.

    Attributes:
        raw: The row as found.
        text: The row as it is to be written, without a line end; None if it is left out.
        applied: The fixes that were applied; empty if the row is as it was.
    """

    raw: RawRow
    text: bytes | None
    applied: tuple[AppliedFix, ...] = ()


@dataclass(slots=True)
class FixSummary:
    """What was done to a data file.

    Attributes:
        path: The data file.
        fixed_path: The new file; None if there was nothing to mend.
        ledger_path: Its ledger.
        rows: Rows that were changed or left out.
        dropped: Rows that were left out.
        by_code: Fixes applied, by the code of the rule.
    """

    path: str
    fixed_path: Path | None = None
    ledger_path: Path | None = None
    rows: int = 0
    dropped: int = 0
    by_code: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _MenderRecipe:
    recipe: CheckerRecipe
    takes_unsafe: bool
    baseline: Baseline

    def __call__(self) -> _Mender:
        return _Mender(self.recipe(), self.takes_unsafe, self.baseline)


@dataclass(frozen=True, slots=True)
class _Mender:
    checkers: CheckerSet
    takes_unsafe: bool
    baseline: Baseline


def mend_rows(path: str, config: LintConfig, *, unsafe: bool, baseline: Baseline) -> Iterator[MendedRow]:
    """Yield every row of a data file, mended as far as its fixes go.

    Args:
        path: The data file.
        config: How rows are checked, and by which rules.
        unsafe: Whether unsafe fixes are applied too.
        baseline: Findings that are accepted, and not mended.

    Raises:
        DataprepError: If the file cannot be read or an option cannot be used.
    """
    recipe = _MenderRecipe(CheckerRecipe(config, levels_of(config), config.rules), unsafe, baseline)
    for rows in run_ordered(_mend_chunk, cut_chunks(read_rows(path)), build=recipe, jobs=config.jobs):
        yield from rows


def _mend_chunk(mender: _Mender, rows: list[RawRow]) -> list[MendedRow]:
    checker = mender.checkers.for_file(rows[0].location.path)
    checked = checker.check_all(rows)
    return [_mend(row, checker, mender) for row in checked]


def _mend(checked: CheckedRow, checker: RowChecker, mender: _Mender) -> MendedRow:
    raw = checked.raw
    mended, applied = mend_checked(checked, checker, lambda row: _usable_fixes(row, mender))
    if mended is None:
        return MendedRow(raw, None, applied)
    return MendedRow(raw, mended.raw.text if applied else _copy(raw), applied)


def mend_checked(
    checked: CheckedRow, checker: RowChecker, usable_fixes: Callable[[CheckedRow], list[tuple[str, Fix]]]
) -> tuple[CheckedRow | None, tuple[AppliedFix, ...]]:
    """Mend a row as far as its fixes go.

    Args:
        checked: The row as found.
        checker: Checks it again after each round.
        usable_fixes: Says which fixes of a checked row may be applied, each with the code of its rule.

    Returns:
        The row as it is then, checked, or None if it is left out; and the fixes that were applied.
    """
    raw = checked.raw
    applied: list[AppliedFix] = []
    seen = {(raw.text, raw.starts_with_bom)}
    for _ in range(MOST_ROUNDS):
        fixes = usable_fixes(checked)
        outcome = apply_fixes(checked.value, [fix for _, fix in fixes])
        made = [_describe(fix, fixes) for fix in outcome.applied]
        if outcome.is_dropped:
            return None, (*applied, *made)
        if not made:
            break
        text = outcome.text if outcome.text is not None else spell(outcome.row, raw.text)
        if (text, False) in seen:
            break  # fixes that undo one another: the row stays as it was before this round
        seen.add((text, False))
        applied += made
        checked = checker.check(RawRow(raw.location, _LINE_BREAK.sub(b" ", text.strip())))
    return checked, tuple(applied)


def safe_fixes(row: CheckedRow) -> list[tuple[str, Fix]]:
    """Return the safe fixes of a row's findings, each with the code of its rule."""
    return [(found.code, found.fix) for found in row.findings if found.fix is not None and found.fix.is_safe]


def _usable_fixes(checked: CheckedRow, mender: _Mender) -> list[tuple[str, Fix]]:
    def is_usable(finding: Finding) -> bool:
        return finding.fix is not None and (finding.fix.is_safe or mender.takes_unsafe)

    findings = [finding for finding in checked.findings if is_usable(finding)]
    kept = mender.baseline.without_accepted(findings)
    return [(finding.code, finding.fix) for finding in kept if finding.fix is not None]


def _describe(fix: Fix, fixes: list[tuple[str, Fix]]) -> AppliedFix:
    code = next(code for code, other in fixes if other == fix)
    return AppliedFix(code, fix.label, fix.is_safe)


def _copy(raw: RawRow) -> bytes:
    """Return a row as it stands, on one line: line breaks of valid JSON stand outside its texts."""
    if raw.is_too_long:
        raise SourceError(
            f"{raw.location}: the row is longer than {MAX_ROW_BYTES >> 20} MiB and cannot be copied to a mended file; "
            "take it out, or let --unsafe-fixes leave it out"
        )
    text = raw.text
    if b"\n" in text:
        # In a row that cannot be parsed, a break may stand inside a text: as a space it would mend the row in silence.
        text = _LINE_BREAK.sub(b" ", text) if parse_row(raw)[1] is None else text.replace(b"\n", b"\r")
    return _BOM + text if raw.starts_with_bom else text


def spell(row: object, like: bytes) -> bytes:
    """Return a row as JSON with the spaces and the escapes of another text, so that little looks changed."""
    separators = (", ", ": ") if b'": ' in like else (",", ":")
    is_ascii = like.isascii() and b"\\u" in like
    return json.dumps(row, ensure_ascii=is_ascii, separators=separators).encode("utf-8", "backslashreplace")


def fixed_path_of(path: str) -> Path:
    """Return the default name of the new file: ``rows.json.gz`` becomes ``rows.fixed.jsonl``."""
    place = Path(path)
    name = place.name.removesuffix(".gz").removesuffix(".zst")
    for suffix in (".jsonl", ".json", ".ndjson"):
        name = name.removesuffix(suffix)
    return place.with_name(f"{name}.fixed.jsonl")


def ledger_path_of(fixed: Path) -> Path:
    """Return the name of the ledger. It is no ``.jsonl``: a folder's data files do not include it."""
    return fixed.with_name(f"{fixed.name}.ledger")


class _NothingToMend(Exception):
    """Ends the writing of files that nobody needs."""


def fix_file(
    path: str, config: LintConfig, *, unsafe: bool, baseline: Baseline, fixed_path: Path | None = None
) -> FixSummary:
    """Write the mended copy of a data file and its ledger.

    Args:
        path: The data file.
        config: How rows are checked, and by which rules.
        unsafe: Whether unsafe fixes are applied too.
        baseline: Findings that are accepted, and not mended.
        fixed_path: The new file; None is :func:`fixed_path_of`.

    Returns:
        What was done; without paths if there was nothing to mend, and then nothing was written.

    Raises:
        DataprepError: If a file cannot be read or written, or the new file is the data file.
    """
    target = fixed_path or fixed_path_of(path)
    if target.exists() and target.samefile(path):
        raise ConfigError(f"{target} is the data file itself; name another file with --fixed-out")
    summary = FixSummary(path, target, ledger_path_of(target))
    try:
        with atomic_file(target) as file, atomic_file(ledger_path_of(target)) as ledger:
            line = 0
            for mended in mend_rows(path, config, unsafe=unsafe, baseline=baseline):
                line += mended.text is not None
                if mended.applied:
                    _count(mended, summary)
                    for entry in _ledger_entries(mended, line):
                        ledger.write(entry)
                if mended.text is not None:
                    file.write(mended.text + b"\n")
            if not summary.rows:
                raise _NothingToMend
    except _NothingToMend:
        return replace(summary, fixed_path=None, ledger_path=None)
    return summary


def _count(mended: MendedRow, summary: FixSummary) -> None:
    summary.rows += 1
    summary.dropped += mended.text is None
    summary.by_code.update(fix.code for fix in mended.applied)


def _ledger_entries(mended: MendedRow, line: int) -> Iterator[bytes]:
    location = mended.raw.location
    after = None if mended.text is None else hash_raw(RawRow(location, mended.text)).hex()
    for fix in mended.applied:
        entry = {
            "path": location.path,
            "line": location.line,
            "fixed_line": None if mended.text is None else line,
            "code": fix.code,
            "label": fix.label,
            "safe": fix.is_safe,
            "before": hash_raw(mended.raw).hex(),
            "after": after,
        }
        yield json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def diff_lines(path: str, config: LintConfig, *, unsafe: bool, baseline: Baseline) -> Iterator[bytes]:
    """Yield a unified diff, without context, of what :func:`fix_file` would do; nothing if there is nothing to mend."""
    has_heading, dropped = False, 0
    for mended in mend_rows(path, config, unsafe=unsafe, baseline=baseline):
        if not mended.applied:
            continue
        if not has_heading:
            yield f"--- {path}\n+++ {fixed_path_of(path)}\n".encode("utf-8", "surrogateescape")
            has_heading = True
        line = mended.raw.location.line
        old = b"-" + _copy(mended.raw) + b"\n"
        if mended.text is None:
            dropped += 1
            yield f"@@ -{line} +{line - dropped},0 @@\n".encode() + old
        else:
            yield f"@@ -{line} +{line - dropped} @@\n".encode() + old + b"+" + mended.text + b"\n"
