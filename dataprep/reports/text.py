"""Reports for people: findings grouped by cause, colours where the terminal has them, the next command last."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dataprep.findings import Severity
from dataprep.linting import UNREADABLE, CodeSummary, LintReport
from dataprep.rules.base import Level
from dataprep.rules.table import RULES

if TYPE_CHECKING:
    # For types only: lint prints its report without loading pyarrow.
    from dataprep.conversion import BadRowsError
    from dataprep.shards.manifest import Manifest

_LONGEST_TEXT = 1000  # characters of one path, field or message
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_AREAS = {
    "P": "parsing", "S": "fields and turns", "T": "tags", "M": "images", "V": "videos", "G": "boxes", "D": "duplicates",
    "L": "lengths", "C": "balance",
}  # fmt: skip


def make_visible(text: str) -> str:
    """Return text from the data without anything that a terminal would act on.

    Control characters (escape sequences among them), invisible and direction-changing characters are shown as
    escapes, so that data can neither colour, move nor hide what is printed.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _plain(text: str) -> str:
    """Return text from the data visible and short enough to read."""
    if len(text) > _LONGEST_TEXT:
        text = f"{text[: _LONGEST_TEXT - 100]}... ({len(text):,} characters)"
    return make_visible(text)


def _print(console: Console, *parts: str | tuple[str, str]) -> None:
    """Print one line of texts, or of pairs of text and style; nothing in a text is taken for markup."""
    # No wrapping: a place that is cut in two can neither be clicked nor searched for.
    console.print(Text.assemble(*parts), soft_wrap=True)


def print_lint(report: LintReport, console: Console) -> None:
    """Print what lint found."""
    for summary in report.files:
        formats = ", ".join(f"{count:,} {name}" for name, count in summary.formats.most_common())
        _print(console, f"{_plain(summary.path)}: {summary.rows:,} rows ({formats or 'none'})")
    by_weight = sorted(report.by_code.items(), key=lambda item: (item[1].severity.rank, -item[1].rows, item[0]))
    for _, found in by_weight:
        _print_group(found, console)
    _print_passed(report, console)
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    style = "bold red" if errors else "yellow" if warnings else "bold green"
    rejected = f"{report.num_rows_with_errors:,} of {report.num_rows:,} rows"
    counts = f"{errors:,} errors and {warnings:,} warnings"
    _print(console, (counts, style), f"; conversion would reject {rejected}")
    _print(console, f"Next: {_next_command(report)}")


def _print_group(summary: CodeSummary, console: Console) -> None:
    style, code = _STYLES[summary.severity], summary.first[0].code
    console.print()
    for finding in summary.first:
        field = f" {_plain(finding.field)}:" if finding.field else ""
        place = f"{_plain(str(finding.location))}:{field} "
        _print(console, place, (finding.code, style), f" {_plain(finding.message)}")
    more = summary.findings - len(summary.first)
    if more:
        _print(console, (f"  +{more:,} more {code} (all of them: --format json)", "dim"))
    if summary.first[0].help:
        _print(console, (f"  help: {_plain(summary.first[0].help)}", "dim"))


def _print_passed(report: LintReport, console: Console) -> None:
    found = {code[0] for code in report.by_code}
    ran = {code[0] for code, rule in RULES.items() if rule.level in report.levels}
    # An area that no row came as far as has not been passed.
    readable = report.num_rows - sum(summary.formats[UNREADABLE] for summary in report.files)
    reached = {"P": report.num_rows, "L": report.num_rows - report.num_rows_with_errors}
    passed = [
        name
        for letter, name in _AREAS.items()
        if letter in ran and letter not in found and reached.get(letter, readable)
    ]
    console.print()
    if passed:
        _print(console, ("passed:", "green"), f" {', '.join(passed)}")
    if Level.TOKENS not in report.levels:
        _print(console, ("not checked: lengths (add --for MODEL_TYPE --model DIR)", "dim"))


def _next_command(report: LintReport) -> str:
    if report.has_errors:
        code = next(code for code, found in report.by_code.items() if found.severity is Severity.ERROR)
        return f"mend the rows, or read more: dataprep explain {code}"
    if not report.num_rows:
        return "there is not a single row; check the path"
    # Standard input can be checked, but not converted.
    files = " ".join("DATA" if summary.path == "-" else _argument(summary.path) for summary in report.files)
    return f"dataprep convert {files} --for {report.model_type or 'MODEL_TYPE'} --model DIR --out shards"


def _argument(path: str) -> str:
    return make_visible(shlex.quote(path))


def print_bad_rows(error: BadRowsError, console: Console) -> None:
    """Print why rows are bad, as a table, and the options that accept the loss."""
    table = Table("code", "rows", "rule", "first of them", title="bad rows", title_justify="left")
    for code, (count, text) in sorted(error.reasons.items(), key=lambda item: -item[1][0]):
        table.add_row(code, f"{count:,}", RULES[code].name, Text(_plain(text)))
    console.print(table)


def print_conversion(manifest: Manifest, out: str, console: Console) -> None:
    """Print what a conversion made."""
    ledger = manifest.ledger
    _print(
        console,
        f"{ledger.rows_in:,} rows in = {ledger.converted:,} converted + {ledger.repaired:,} repaired + "
        f"{ledger.rejected:,} rejected + {ledger.duplicate:,} duplicate",
    )
    table = Table("split", "rows", "tokens", "trained", "tiles", "shards")
    for name, split in manifest.splits.items():
        numbers = (split.rows, split.tokens, split.trained_tokens, split.tiles, split.shards)
        table.add_row(Text(name), *(f"{number:,}" for number in numbers))
    console.print(table)
    if ledger.rejected:
        _print(console, f"rejected rows, with their findings: {_plain(out)}/rejects.jsonl")
    _print(console, f"Next: dataprep train {_argument(out)} --model DIR --out runs/a")
