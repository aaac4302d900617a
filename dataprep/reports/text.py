"""The lint report for people: findings grouped by cause, colours where the terminal has them, the next command last."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence

from dataprep.findings import Finding, Severity
from dataprep.linting import CodeSummary, LintReport
from dataprep.reports.reporter import ReportContext
from dataprep.reports.visible import make_visible, plain
from dataprep.rules.base import Level
from dataprep.rules.table import RULES
from dataprep.verdicts import UNREADABLE
from dataprep.wording import counted

_MOST_FILES = 20
# Plain escape sequences: rich would cost as much time as checking ten thousand rows.
_COLOURS = {"bold red": "1;31", "yellow": "33", "cyan": "36", "green": "32", "bold green": "1;32", "dim": "2"}
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_AREAS = {
    "P": "parsing", "S": "fields and turns", "T": "tags", "M": "images", "V": "videos", "G": "boxes",
    "D": "duplicates", "L": "lengths", "C": "balance",
}  # fmt: skip


class TextReporter:
    """The report for people; shows the first findings of each rule and counts the others."""

    def __init__(self, context: ReportContext) -> None:
        self._context = context

    def take(self, findings: Sequence[Finding]) -> None:
        """Do nothing: the report keeps the first findings of every rule."""

    def finish(self, report: LintReport) -> None:
        """Print the report."""
        print_lint(report, self._context)


def print_lint(report: LintReport, context: ReportContext) -> None:
    """Print what lint found."""

    def paint(text: str, style: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if context.has_colours else text

    for line in (*_head(report), *_body(report, context, paint), *_end(report, context, paint)):
        context.write(f"{line}\n")


Paint = Callable[[str, str], str]


def _head(report: LintReport) -> list[str]:
    lines = []
    for summary in report.files[:_MOST_FILES]:
        formats = ", ".join(f"{count:,} {name}" for name, count in summary.formats.most_common())
        lines.append(f"{plain(summary.path)}: {counted(summary.rows, 'row')} ({formats or 'none'})")
    if len(report.files) > _MOST_FILES:
        rest = report.files[_MOST_FILES:]
        lines.append(f"+{counted(len(rest), 'more file')}: {counted(sum(summary.rows for summary in rest), 'row')}")
    if report.sampled_from is not None:
        share = report.num_rows / max(1, report.sampled_from)
        lines.append(
            f"{report.num_rows:,} of {report.sampled_from:,} rows ({share:.2%}) were checked, drawn by --sample"
        )
    return lines


def by_weight(report: LintReport) -> list[tuple[str, CodeSummary]]:
    """Return what was found by rule: errors first, and what touches the most rows first."""
    return sorted(report.by_code.items(), key=lambda item: (item[1].severity.rank, -item[1].rows, item[0]))


def _body(report: LintReport, context: ReportContext, paint: Paint) -> list[str]:
    if context.report.statistics:
        return ["", *statistics_lines(report)] if report.by_code else []
    return [line for _, found in by_weight(report) for line in _group_lines(found, paint)]


def statistics_lines(report: LintReport) -> list[str]:
    """Return a table of the rules that found something: findings, rows, severity, code, name, what --fix mends."""
    lines = ["findings      rows  severity  rule"]
    for code, found in by_weight(report):
        fixable = f"  ({found.fixable:,} with a safe fix)" if found.fixable else ""
        rule = f"{code} {RULES[code].name}{fixable}"
        lines.append(f"{found.findings:>8,}  {found.rows:>8,}  {found.severity.value:<8}  {rule}")
    return lines


def _group_lines(summary: CodeSummary, paint: Paint) -> list[str]:
    style, code = _STYLES[summary.severity], summary.first[0].code
    lines = [""]
    for finding in summary.first:
        field = f" {plain(finding.field)}:" if finding.field else ""
        lines.append(f"{plain(str(finding.location))}:{field} {paint(finding.code, style)} {plain(finding.message)}")
    more = summary.findings - len(summary.first)
    if more:
        rows = counted(summary.rows, "row")
        lines.append(paint(f"  +{more:,} more {code}, {rows} in all (--format concise lists them)", "dim"))
    if summary.first[0].help:
        lines.append(paint(f"  help: {plain(summary.first[0].help)}", "dim"))
    fix = next((finding.fix for finding in summary.first if finding.fix), None)
    if fix:
        option = "--fix" if fix.is_safe else "--unsafe-fixes"
        lines.append(paint(f"  {option} would: {plain(fix.label)}", "dim"))
    return lines


def _end(report: LintReport, context: ReportContext, paint: Paint) -> list[str]:
    passed, lines = _passed(report), [""]
    if context.lint.val and _AREAS["D"] in passed:
        passed.append("leakage")
    if passed:
        lines.append(f"{paint('passed:', 'green')} {', '.join(passed)}")
    if Level.TOKENS not in report.levels:
        lines.append(paint("not checked: lengths (add --for MODEL_TYPE --model DIR)", "dim"))
    if report.num_accepted:
        lines.append(f"accepted by {plain(str(context.lint.baseline))}: {counted(report.num_accepted, 'finding')}")
    if report.budget is not None:
        from dataprep.reports.budget_text import budget_lines

        lines += ["", *(make_visible(line) for line in budget_lines(report.budget)), ""]
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    style = "bold red" if errors else "yellow" if warnings else "bold green"
    rejected = f"{report.num_rows_with_errors:,} of {counted(report.num_rows, 'row')}"
    lines.append(f"{paint(_counts(report), style)}; conversion would reject {rejected}")
    if report.stopped:
        lines.append(paint(f"stopped: {plain(report.stopped)}; the rows behind it were not checked", "bold red"))
    return [*lines, f"Next: {_next_command(report, context)}"]


def _counts(report: LintReport) -> str:
    infos = report.count(Severity.INFO)
    rest = f", {counted(infos, 'note')}" if infos else ""
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    return f"{counted(errors, 'error')} and {counted(warnings, 'warning')}{rest}"


def _passed(report: LintReport) -> list[str]:
    if report.stopped:
        return []
    found = {code[0] for code in report.by_code}
    ran = {code[0] for code, rule in RULES.items() if rule.level in report.levels and code != "C704"}
    # An area that no row came as far as has not been passed; what is drawn says nothing of the whole.
    readable = report.num_rows - sum(summary.formats[UNREADABLE] for summary in report.files)
    whole = readable if report.sampled_from is None else 0
    reached = {"P": report.num_rows, "L": report.num_rows - report.num_rows_with_errors, "D": whole, "C": whole}
    reached["V"] = readable if report.has_videos else 0
    return [
        name
        for letter, name in _AREAS.items()
        if letter in ran and letter not in found and reached.get(letter, readable)
    ]


def _next_command(report: LintReport, context: ReportContext) -> str:
    # Standard input can be checked, but neither mended nor converted.
    metas = {entry.file: entry.meta for entry in context.lint.media_roots if entry.meta is not None}
    names = dict.fromkeys(metas.get(summary.path, summary.path) for summary in report.files)
    files = " ".join("DATA" if name == "-" else shell_argument(name) for name in names)
    # Mended copies of a meta's files are no longer named by it.
    roots = {entry.root for entry in context.lint.media_roots if entry.meta is None and entry.file in names}
    media_root = context.lint.media_root or (roots.pop() if len(roots) == 1 else None)
    root = f" --media-root {shell_argument(str(media_root))}" if media_root else ""
    failing = [code for code, found in by_weight(report) if context.fails(found.severity)]
    if any(report.by_code[code].fixable for code in failing):
        return f"dataprep lint {files}{root} --fix"
    if failing:
        return f"dataprep explain {failing[0]}"
    if not report.num_rows:
        return "check the path: there is not a single row"
    # What is accepted, or said to be no error, is rejected all the same.
    ratio = math.ceil(100 * report.num_rows_with_errors / report.num_rows) / 100
    loss = f" --on-bad skip --max-bad-ratio {ratio}" if report.num_rows_with_errors else ""
    model = shell_argument(str(context.lint.model)) if context.lint.model else "DIR"
    target = f"--for {report.model_type or 'MODEL_TYPE'} --model {model} --out shards"
    return f"dataprep convert {files} {target}{root}{loss}"


def shell_argument(path: str) -> str:
    """Return a path as it is typed into a shell."""
    return make_visible(shlex.quote(path))
