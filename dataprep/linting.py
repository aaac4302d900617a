"""Lint on one page: data files -> rows -> rules -> report. Changes nothing on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dataprep.baseline import Baseline, read_baseline
from dataprep.blocks import Block, Slice, cut_chunks, read_blocks, read_slices
from dataprep.checking import ChunkRecipe, check_chunk
from dataprep.config import LintConfig
from dataprep.corpus import Corpus
from dataprep.data_files import expand_paths
from dataprep.findings import Finding, Severity
from dataprep.media.trail import Trail
from dataprep.metas import expand_metas
from dataprep.pool import run_ordered
from dataprep.report_cache import ReportCache, StoredRun, encode_budget
from dataprep.row_hashes import with_row_hashes
from dataprep.rules.base import Level
from dataprep.rules.corpus_runner import check_corpus, check_unused
from dataprep.rules.runner import FOR_CONVERSION, UP_TO_MEDIA, CheckerRecipe
from dataprep.sampling import draw_rows
from dataprep.sources import RawRow, read_rows
from dataprep.verdicts import place_verdicts

if TYPE_CHECKING:
    from dataprep.budget import Budget
    from dataprep.spaces import FileSpaces

MOST_KEPT = 100_000
"""Findings that a report holds; more are only counted, so that memory stays bounded."""
_FIRST_FINDINGS = 3
_FIRST_ROWS = 100


@dataclass(slots=True)
class FileSummary:
    """One data file: its path, its number of rows, and how many rows are of each format."""

    path: str
    rows: int = 0
    formats: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class CodeSummary:
    """All findings of one rule: how many, of how many rows, how many with a safe fix, and the first few."""

    severity: Severity
    findings: int = 0
    rows: int = 0
    fixable: int = 0
    first: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class LintReport:
    """What lint found.

    Attributes:
        files: One summary per data file, in the order given.
        findings: The findings in row order, those about whole data sets last; at most :data:`MOST_KEPT` of them.
        by_code: Counts of all findings.
        num_rows: Rows checked.
        num_rows_with_errors: Rows that conversion would reject.
        has_videos: Whether any row has a video.
        levels: The rungs of the ladder that rows were taken to.
        model_type: The model that the data was checked for, or None.
        num_accepted: Findings that the baseline accepts; they are counted nowhere else.
        sampled_from: Rows that the rows checked were drawn from; None if all were checked.
        stopped: Why the run ended before the last row, as a sentence; None if it did not.
        budget: What the rows cost; None without a tokenizer, or if no row has a length.
        box_lines: Lines of the rows to draw, by data file; empty unless a contact sheet was asked for.
        spaces: What the detective says about the boxes of each file; likewise.
    """

    files: list[FileSummary] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    by_code: dict[str, CodeSummary] = field(default_factory=dict)
    num_rows: int = 0
    num_rows_with_errors: int = 0
    has_videos: bool = False
    levels: frozenset[Level] = UP_TO_MEDIA
    model_type: str | None = None
    num_accepted: int = 0
    sampled_from: int | None = None
    stopped: str | None = None
    budget: Budget | None = None
    box_lines: dict[str, list[int]] = field(default_factory=dict)
    spaces: list[FileSpaces] = field(default_factory=list)

    def add(self, findings: Sequence[Finding]) -> None:
        """Take in what was found in one row, or about the whole."""
        self.findings += findings[: max(0, MOST_KEPT - len(self.findings))]
        for finding in findings:
            summary = self.by_code.setdefault(finding.code, CodeSummary(finding.severity))
            summary.findings += 1
            summary.fixable += finding.fix is not None and finding.fix.is_safe
            if len(summary.first) < _FIRST_FINDINGS:
                summary.first.append(finding)
        for code in {finding.code for finding in findings}:
            self.by_code[code].rows += 1

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(summary.findings for summary in self.by_code.values() if summary.severity is severity)

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error."""
        return self.count(Severity.ERROR) > 0

    @property
    def num_findings(self) -> int:
        """The number of findings, kept or only counted."""
        return sum(summary.findings for summary in self.by_code.values())


def lint(
    paths: list[str],
    config: LintConfig | None = None,
    *,
    progress: Callable[[int], None] = lambda rows: None,
    on_findings: Callable[[Sequence[Finding]], None] = lambda findings: None,
) -> LintReport:
    """Check data files.

    Args:
        paths: Data files or folders of them; ``-`` is standard input.
        config: How to check; the defaults are those of the command line.
        progress: Called with the number of rows checked since the last call.
        on_findings: Called with findings as they are made, for reports that keep none.

    Raises:
        DataprepError: If a file cannot be read or an option cannot be used.
    """
    paths, config = expand_metas(paths, config or LintConfig())
    val_paths = expand_paths(list(config.val))
    files = list(dict.fromkeys([*expand_paths(paths), *val_paths]))
    cache = ReportCache.of_run(files, val_paths, config)
    stored = None if cache is None else cache.load()
    if stored is not None:
        return _repeat(stored, config, progress, on_findings)
    groups: list[int] = []
    trail = None if cache is None else Trail()

    def hand_on(findings: Sequence[Finding]) -> None:
        if len(groups) <= MOST_KEPT:
            groups.append(len(findings))
        on_findings(findings)

    report = _check_files(files, val_paths, config, progress, hand_on, trail)
    is_whole = not report.stopped and sum(groups) == len(report.findings) == report.num_findings
    if cache is not None and trail is not None and is_whole and cache.is_worthwhile(trail):
        cache.store(_stored(report, groups), trail)
    return report


def _repeat(
    stored: StoredRun,
    config: LintConfig,
    progress: Callable[[int], None],
    on_findings: Callable[[Sequence[Finding]], None],
) -> LintReport:
    """Return the report of an earlier run, its findings handed on as they were then."""
    report = LintReport(
        files=[FileSummary(path, rows, Counter(dict(formats))) for path, rows, formats in stored.files],
        num_rows=stored.num_rows,
        num_rows_with_errors=stored.num_rows_with_errors,
        has_videos=stored.has_videos,
        levels=levels_of(config),
        model_type=config.model_type,
        num_accepted=stored.num_accepted,
        sampled_from=stored.sampled_from,
        budget=stored.load_budget(),
    )
    position = 0
    for size in stored.groups:
        findings = stored.findings[position : position + size]
        report.add(findings)
        on_findings(findings)
        position += size
    progress(report.num_rows)
    return report


def _stored(report: LintReport, groups: list[int]) -> StoredRun:
    return StoredRun(
        files=[(summary.path, summary.rows, list(summary.formats.items())) for summary in report.files],
        findings=report.findings,
        groups=groups,
        num_rows=report.num_rows,
        num_rows_with_errors=report.num_rows_with_errors,
        has_videos=report.has_videos,
        num_accepted=report.num_accepted,
        sampled_from=report.sampled_from,
        budget=encode_budget(report.budget),
    )


def _check_files(
    files: list[str],
    val_paths: list[str],
    config: LintConfig,
    progress: Callable[[int], None],
    on_findings: Callable[[Sequence[Finding]], None],
    trail: Trail | None,
) -> LintReport:
    declares_split = any(_declares_split(path) for path in files if path not in val_paths)
    recipe = CheckerRecipe(config, levels_of(config), config.rules, trail is not None, declares_split)
    recipe()  # fail on a bad option here, not in a worker
    baseline = read_baseline(config.baseline)
    report = LintReport(levels=recipe.levels, model_type=config.model_type)
    summaries = {path: FileSummary(path) for path in files}
    report.files = list(summaries.values())
    corpus = Corpus(paths=files, val_paths=frozenset(val_paths))
    tasks = run_ordered(
        check_chunk,
        _chunks(report, config),
        build=ChunkRecipe(recipe),
        jobs=config.jobs,
        may_fork=recipe.levels <= UP_TO_MEDIA,
    )
    for verdict in place_verdicts(tasks):
        corpus.add(verdict.path, verdict.facts)
        report.has_videos = report.has_videos or verdict.has_videos
        if trail is not None and verdict.trail is not None:
            trail.extend(verdict.trail)
        summary = summaries[verdict.path]
        summary.rows += verdict.num_rows
        summary.formats.update(verdict.formats)
        for number, all_findings in verdict.findings:
            report.num_rows_with_errors += any(f.severity is Severity.ERROR for f in all_findings)
            findings = baseline.without_accepted(all_findings)
            if findings:
                report.add(findings)
                on_findings(findings)
                if config.max_findings is not None and report.num_findings >= config.max_findings:
                    report.num_rows += number + 1
                    summary.rows -= verdict.num_rows - (number + 1)
                    report.num_accepted = baseline.num_accepted
                    report.stopped = f"--max-findings {config.max_findings} was reached at {findings[0].location}"
                    return report
        report.num_rows += verdict.num_rows
        progress(verdict.num_rows)
    for findings in _check_whole(corpus, recipe, baseline, is_complete=report.sampled_from is None):
        report.add(findings)
        on_findings(findings)
    report.num_accepted = baseline.num_accepted
    _look_at_all(report, corpus, config)
    return report


def _declares_split(path: str) -> bool:
    """Whether one of the first rows of a file names a split: then the media of all of its rows are remembered."""
    if not Path(path).is_file():  # a stream is read once
        return False
    return any(b'"split"' in raw.text for raw in islice(read_rows(path), _FIRST_ROWS))


def _chunks(report: LintReport, config: LintConfig) -> Iterator[Slice | Block | list[RawRow]]:
    paths = [summary.path for summary in report.files]
    if config.sample is None:
        for path in paths:
            # Rows whose lengths are wanted are tokenized in batches.
            if Level.TOKENS in report.levels:
                yield from cut_chunks(read_rows(path))
            elif config.jobs > 1:
                # Below the level of media nothing is collected that would need to know its line.
                yield from read_slices(path, is_numbered=Level.MEDIA in report.levels)
            else:
                yield from read_blocks(path)
        return
    drawn = draw_rows(paths, config.sample)
    report.sampled_from = drawn.num_rows
    for rows in drawn.cut_by_file():
        yield from cut_chunks(rows)


def _check_whole(
    corpus: Corpus, recipe: CheckerRecipe, baseline: Baseline, *, is_complete: bool
) -> Iterator[Sequence[Finding]]:
    """Yield what there is to say once all rows have been seen."""
    for findings in with_row_hashes(check_corpus(corpus, recipe)):
        yield baseline.without_accepted(findings)
    if baseline.path is not None and is_complete:
        # Only what could have been found: an entry of a rule that did not run is not unused.
        yield check_unused(str(baseline.path), baseline.unmet, recipe)


def _look_at_all(report: LintReport, corpus: Corpus, config: LintConfig) -> None:
    """Work out the budget, and what is needed to draw the contact sheet that was asked for."""
    if Level.TOKENS in report.levels:
        from dataprep.budget import plan_budget

        report.budget = plan_budget(corpus, max_length=config.max_length, pack_length=config.pack_length)
    if config.contact_sheet is not None and Level.MEDIA in report.levels:
        from dataprep.spaces import sample_lines, spaces_of

        report.box_lines, report.spaces = sample_lines(corpus), spaces_of(corpus, exif=config.exif)


def levels_of(config: LintConfig) -> frozenset[Level]:
    """Return the rungs of the ladder that a configuration asks for."""
    if config.level is not None:
        return frozenset(level for level in Level if level <= config.level)
    return FOR_CONVERSION if config.model else UP_TO_MEDIA
