"""A lint run as the command makes it: mend if asked to, check, report, and say with an exit code how it went.

Exit codes: 0 clean, 1 findings at or above ``fail_on``, 2 could not run (or there was not a single row), 3 stopped by
``max_findings``. The report goes to standard output or a file, everything else to standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataprep.baseline import BaselineEntry, entry_of, read_baseline, write_baseline
from dataprep.config import FixConfig, LintConfig, ReportConfig
from dataprep.data_files import expand_paths
from dataprep.errors import ConfigError
from dataprep.findings import Finding, Severity
from dataprep.linting import LintReport, levels_of, lint
from dataprep.metas import expand_metas
from dataprep.reports.progress import count_rows
from dataprep.reports.reporter import FOR_PEOPLE, ReportContext, make_reporter
from dataprep.reports.visible import make_visible
from dataprep.rules.selection import severities_for
from dataprep.rules.table import RULES
from dataprep.shards.atomic import atomic_file
from dataprep.wording import counted

CLEAN, FINDINGS, NOT_RUN, STOPPED = range(4)


@dataclass(frozen=True, kw_only=True, slots=True)
class LintRun:
    """What a run of lint does.

    Attributes:
        lint: How rows are checked.
        report: What is printed, and when the run fails.
        fix: Whether rows are mended.
        update_baseline: Whether the baseline is written anew instead of reporting.
    """

    lint: LintConfig = field(default_factory=LintConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    fix: FixConfig = field(default_factory=FixConfig)
    update_baseline: bool = False


def run_lint(paths: list[str], run: LintRun) -> int:
    """Lint data files as a command does.

    Args:
        paths: Data files or folders of them; ``-`` is standard input.
        run: What to do.

    Returns:
        The exit code.

    Raises:
        DataprepError: If a file cannot be read or written, or an option cannot be used.
    """
    paths, lint_config = expand_metas(paths, run.lint)
    run = replace(run, lint=lint_config)
    files = list(dict.fromkeys(expand_paths(paths)))
    if run.update_baseline:
        return _update_baseline(files, run)
    if run.fix.diff:
        return _show_diff(files, run)
    if run.fix.writes:
        files, run = _fix(files, run)
    return _report(files, run)


def _say(text: str) -> None:
    print(make_visible(text), file=sys.stderr)


def _report(files: list[str], run: LintRun) -> int:
    report_config = run.report
    all_files = [*files, *expand_paths(list(run.lint.val))]
    with _open_output(report_config, all_files) as write:
        context = ReportContext(
            write=write,
            say=_say,
            report=report_config,
            lint=run.lint,
            paths=tuple(all_files),
            has_colours=report_config.output is None and _shows_colours(),
        )
        reporter = make_reporter(context)
        with _progress(report_config) as progress:
            report = lint(files, run.lint, progress=progress, on_findings=reporter.take)
        reporter.finish(report)
    if run.lint.contact_sheet is not None and not report.stopped:
        from dataprep.reports.contact_sheet import draw_contact_sheet

        drawn = draw_contact_sheet(report, run.lint, run.lint.contact_sheet)
        _say(f"{run.lint.contact_sheet}: {counted(drawn, 'image')}" if drawn else "no boxes to draw: no contact sheet")
    if report_config.statistics and report_config.format != "text":
        from dataprep.reports.text import statistics_lines

        for line in statistics_lines(report):
            _say(line)
    return _exit_code(report, context)


def _exit_code(report: LintReport, context: ReportContext) -> int:
    if report.stopped:
        if context.report.format != "text":
            _say(f"stopped: {report.stopped}; the rows behind it were not checked")
        return STOPPED
    if not report.num_rows:
        names = ", ".join(summary.path for summary in report.files[:3]) or "the data files"
        _say(f"error: there is not a single row in {names}; check the path and how the file was made")
        return NOT_RUN
    fails = any(report.count(severity) and context.fails(severity) for severity in Severity)
    return FINDINGS if fails and not context.report.exit_zero else CLEAN


def _shows_colours() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


@contextmanager
def _progress(config: ReportConfig) -> Iterator[Callable[[int], None]]:
    # Lines that come while rows are read would run into a bar on the same terminal.
    if config.output is None and config.format in ("concise", "jsonl", "drops") and sys.stdout.isatty():
        yield lambda rows: None
        return
    with count_rows("rows checked") as progress:
        yield progress


@contextmanager
def _open_output(config: ReportConfig, files: list[str]) -> Iterator[Callable[[str], object]]:
    """Open what the report is written to; a file appears whole or not at all."""
    target = config.output
    if target is None or str(target) == "-":
        if config.format in FOR_PEOPLE:
            yield sys.stdout.write
        else:
            yield lambda text: sys.stdout.buffer.write(_encode(text, config))
        sys.stdout.flush()
        return
    if target.is_dir():
        raise ConfigError(f"--output {target} is a folder; name a file")
    if target.exists() and any(Path(path).exists() and target.samefile(path) for path in files):
        raise ConfigError(f"--output {target} is one of the data files; name another file")
    if target.exists() and not target.is_file():  # a pipe or a device
        with target.open("wb") as stream:
            yield lambda text: stream.write(_encode(text, config))
        return
    with atomic_file(target) as file:
        yield lambda text: file.write(_encode(text, config))


def _encode(text: str, config: ReportConfig) -> bytes:
    # A name that is no UTF-8 stays itself in drops, which scripts read, and is an escape elsewhere.
    return text.encode("utf-8", "surrogateescape" if config.format == "drops" else "backslashreplace")


def _update_baseline(files: list[str], run: LintRun) -> int:
    path = run.lint.baseline
    if path is None:
        raise ConfigError("--update-baseline needs a file to write; add --baseline FILE")
    if run.fix.writes or run.fix.diff:
        raise ConfigError("--update-baseline accepts what is found, and --fix mends it; use one after the other")
    if run.lint.sample is not None or run.lint.max_findings is not None:
        raise ConfigError("a baseline is made from all rows; leave out --sample and --max-findings")
    before = read_baseline(path, may_be_missing=True).entries
    entries: set[BaselineEntry] = set()

    def take(findings: Sequence[Finding]) -> None:
        entries.update(entry_of(finding) for finding in findings)

    with count_rows("rows checked") as progress:
        report = lint(files, replace(run.lint, baseline=None), progress=progress, on_findings=take)
    # What did not run was not judged: such entries stay.
    levels, severities = levels_of(run.lint), severities_for(run.lint.rules, "")
    ran = {code for code in severities if RULES[code].level in levels}
    entries |= {entry for entry in before if entry.code not in ran}
    write_baseline(path, entries)
    added, removed = len(entries - before), len(before - entries)
    accepted = counted(report.num_findings, "finding")
    _say(f"{path}: {counted(len(entries), 'entry', 'entries')} (+{added:,}, -{removed:,}) for {accepted}")
    return CLEAN


def _show_diff(files: list[str], run: LintRun) -> int:
    from dataprep.fixing import diff_lines

    _refuse_streams(files, "--diff")
    baseline, is_terminal, is_empty = read_baseline(run.lint.baseline), sys.stdout.isatty(), True
    for path in files:
        for piece in diff_lines(path, run.lint, unsafe=run.fix.unsafe_fixes, baseline=baseline):
            is_empty = False
            if is_terminal:
                lines = piece.decode("utf-8", "backslashreplace").splitlines()
                sys.stdout.write("".join(f"{make_visible(line)}\n" for line in lines))
            else:
                sys.stdout.buffer.write(piece)
    sys.stdout.flush()
    return CLEAN if is_empty or run.report.exit_zero else FINDINGS


def _fix(files: list[str], run: LintRun) -> tuple[list[str], LintRun]:
    """Mend the data files; return the files to check now, the new ones in place of those that they come from."""
    from dataprep.fixing import fix_file

    _refuse_streams(files, "--fix")
    if run.fix.fixed_out is not None and len(files) != 1:
        raise ConfigError(f"--fixed-out names one file, and there are {len(files)} data files; leave it out")
    baseline = read_baseline(run.lint.baseline)
    after, root, roots = [], run.lint.media_root, list(run.lint.media_roots)
    for path in files:
        done = fix_file(path, run.lint, unsafe=run.fix.unsafe_fixes, baseline=baseline, fixed_path=run.fix.fixed_out)
        if done.fixed_path is None:
            _say(f"{path}: nothing to mend")
            after.append(path)
            continue
        fixes = ", ".join(f"{code} {count:,}" for code, count in sorted(done.by_code.items()))
        dropped = f", {done.dropped:,} of them left out" if done.dropped else ""
        mended = f"{counted(done.rows, 'row')} mended{dropped} ({fixes})"
        _say(f"{path}: {mended}; see {done.fixed_path} and {done.ledger_path}")
        after.append(str(done.fixed_path))
        own = [entry for entry in run.lint.media_roots if entry.file == path]
        roots += [entry._replace(file=str(done.fixed_path), meta=None) for entry in own]
        if run.fix.fixed_out is not None and root is None:
            root = Path(path).parent  # media lie beside the data file, not beside its copy
    return after, replace(run, lint=replace(run.lint, media_root=root, media_roots=tuple(roots)))


def _refuse_streams(files: list[str], option: str) -> None:
    for path in files:
        if not Path(path).is_file():
            raise ConfigError(f"{option} needs files, and {path} is a stream that can be read once; name a file")
