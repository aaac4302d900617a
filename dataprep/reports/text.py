"""Reports for people: findings grouped by cause, colours where the terminal has them, the next command last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from dataprep.conversion import BadRowsError
from dataprep.findings import Finding, Severity
from dataprep.linting import LintReport
from dataprep.rules.base import Level
from dataprep.rules.table import RULES
from dataprep.shards.manifest import Manifest

_SHOWN_PER_CODE = 3
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_AREAS = {
    "P": "parsing", "S": "fields and turns", "T": "tags", "M": "images", "V": "videos", "G": "boxes", "L": "lengths",
}  # fmt: skip


def make_visible(text: str) -> str:
    """Return text from the data without anything that a terminal would act on.

    Control characters (escape sequences among them), invisible and direction-changing characters are shown as
    escapes, so that data can neither colour, move nor hide what is printed.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _plain(text: str) -> str:
    return escape(make_visible(text))


def _print(console: Console, markup: str, *, style: str | None = None) -> None:
    # No emoji codes: "rows.jsonl:100:" would lose its line. No wrapping: a place must stay in one piece.
    console.print(markup, style=style, emoji=False, highlight=False, soft_wrap=True)


def print_lint(report: LintReport, console: Console) -> None:
    """Print what lint found."""
    for summary in report.files:
        formats = ", ".join(f"{count:,} {name}" for name, count in summary.formats.most_common())
        console.print(f"{_plain(summary.path)}: {summary.rows:,} rows ({formats or 'none'})", highlight=False)
    for group in _group(report.findings):
        _print_group(group, console)
    _print_passed(report, console)
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    style = "bold red" if errors else "yellow" if warnings else "bold green"
    console.print(
        f"[{style}]{errors:,} errors and {warnings:,} warnings[/]; conversion would reject "
        f"{report.num_rows_with_errors:,} of {report.num_rows:,} rows",
        highlight=False,
    )
    console.print(f"Next: {_next_command(report)}", highlight=False, soft_wrap=True)


def _group(findings: Sequence[Finding]) -> list[list[Finding]]:
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.code].append(finding)
    rows = {code: len({f.location for f in group}) for code, group in groups.items()}
    return sorted(groups.values(), key=lambda g: (g[0].severity.rank, -rows[g[0].code], g[0].code))


def _print_group(group: Sequence[Finding], console: Console) -> None:
    style = _STYLES[group[0].severity]
    console.print()
    for finding in group[:_SHOWN_PER_CODE]:
        field = f" {_plain(finding.field)}:" if finding.field else ""
        place = f"{_plain(str(finding.location))}:{field}"
        console.print(f"{place} [{style}]{finding.code}[/] {_plain(finding.message)}", highlight=False, soft_wrap=True)
    if len(group) > _SHOWN_PER_CODE:
        more = len(group) - _SHOWN_PER_CODE
        console.print(f"  +{more:,} more {group[0].code} (all of them: --format json)", style="dim", highlight=False)
    if group[0].help:
        console.print(f"  help: {_plain(group[0].help)}", style="dim", highlight=False, soft_wrap=True)


def _print_passed(report: LintReport, console: Console) -> None:
    found = {finding.code[0] for finding in report.findings}
    ran = {code[0] for code, rule in RULES.items() if rule.level <= report.level}
    passed = [name for letter, name in _AREAS.items() if letter in ran and letter not in found]
    console.print()
    if passed and report.num_rows:
        console.print(f"[green]passed:[/] {', '.join(passed)}", highlight=False)
    if report.level < Level.TOKENS:
        console.print("not checked: lengths (add --for MODEL_TYPE --model DIR)", style="dim", highlight=False)


def _next_command(report: LintReport) -> str:
    files = " ".join(_plain(summary.path) for summary in report.files[:3])
    model_type = report.model_type or "MODEL_TYPE"
    if report.has_errors:
        code = next(f.code for f in report.findings if f.severity is Severity.ERROR)
        return f"mend the rows, or read more: dataprep explain {code}"
    return f"dataprep convert {files} --for {model_type} --model DIR --out shards"


def print_bad_rows(error: BadRowsError, console: Console) -> None:
    """Print why rows are bad, as a table, and the options that accept the loss."""
    table = Table("code", "rows", "rule", "first of them", title="bad rows", title_justify="left")
    for code, (count, text) in sorted(error.reasons.items(), key=lambda item: -item[1][0]):
        table.add_row(code, f"{count:,}", RULES[code].name, _plain(text))
    console.print(table)


def print_conversion(manifest: Manifest, out: str, console: Console) -> None:
    """Print what a conversion made."""
    ledger = manifest.ledger
    console.print(
        f"{ledger.rows_in:,} rows in = {ledger.converted:,} converted + {ledger.repaired:,} repaired + "
        f"{ledger.rejected:,} rejected + {ledger.duplicate:,} duplicate",
        highlight=False,
    )
    table = Table("split", "rows", "tokens", "trained", "tiles", "shards")
    for name, split in manifest.splits.items():
        numbers = (split.rows, split.tokens, split.trained_tokens, split.tiles, split.shards)
        table.add_row(_plain(name), *(f"{number:,}" for number in numbers))
    console.print(table)
    if ledger.rejected:
        console.print(f"rejected rows, with their findings: {_plain(out)}/rejects.jsonl", highlight=False)
    console.print(f"Next: dataprep train {_plain(out)} --model DIR --out runs/a", highlight=False, soft_wrap=True)
