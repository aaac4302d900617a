"""The command ``lint``: its options, and how they come together with those of a configuration file.

An option that is given counts; otherwise the file's value, otherwise the default of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dataprep.cli_options import Paths, complete_model_type, complete_rule

if TYPE_CHECKING:
    from dataprep.linting_run import LintRun

RULES, RESULT, REPORT = "Which rules", "When it fails", "Report"
MENDING, MEANING, MEDIA = "Mending", "What rows mean", "Media"
RUN = "Run"
_FORMATS = Literal["text", "concise", "json", "jsonl", "github", "sarif", "junit", "html", "drops", "annotated"]
_RUN_FIELDS = ("fix", "unsafe_fixes", "diff", "fixed_out")
_REPORT_FIELDS = ("format", "output", "fail_on", "exit_zero", "statistics")
_RULE_FIELDS = ("select", "extend_select", "ignore", "per_file_ignores", "severities")


def _option(*names: str, group: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=group, show_default=False, **more)


def lint_command(
    paths: Paths,
    for_model: Annotated[
        str | None,
        _option("--for", "--model-type", group=MEANING, help="Model type, such as internvl2-8b: adds its limits.",
                autocompletion=complete_model_type),
    ] = None,
    model: Annotated[
        Path | None, _option("--model", group=MEANING, help="Folder with a tokenizer: counts tokens (level 4).")
    ] = None,
    level: Annotated[
        int | None,
        _option("--level", group=RULES, min=0, max=4,
                help="Ladder of cost: 0 shape, 1 text, 2 media headers (default), 3 pixels, 4 tokens."),
    ] = None,
    select: Annotated[
        list[str] | None,
        _option("--select", group=RULES, autocompletion=complete_rule,
                help="Run these rules only: codes, beginnings of codes or names, separated by commas."),
    ] = None,
    extend_select: Annotated[
        list[str] | None,
        _option("--extend-select", group=RULES, autocompletion=complete_rule, help="Run these rules besides."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        _option("--ignore", group=RULES, autocompletion=complete_rule, help="Do not run these rules."),
    ] = None,
    per_file_ignores: Annotated[
        list[str] | None,
        _option("--per-file-ignores", group=RULES, metavar="PATTERN=CODES",
                help="Do not run these rules on files of this name, such as 'old_*.jsonl=G402,T2'."),
    ] = None,
    severity: Annotated[
        list[str] | None,
        _option("--severity", group=RULES, metavar="CODE=LEVEL",
                help="Make these findings error, warning or info, such as G402=warning."),
    ] = None,
    fail_on: Annotated[
        Literal["error", "warning", "info", "never"] | None,
        _option("--fail-on", group=RESULT, help="Least severe finding that makes the exit code 1. Default: error."),
    ] = None,
    exit_zero: Annotated[
        bool | None, _option("--exit-zero/--no-exit-zero", group=RESULT, help="Exit with 0 in spite of findings.")
    ] = None,
    max_findings: Annotated[
        int | None, _option("--max-findings", group=RESULT, min=1, help="Stop after so many findings, exit code 3.")
    ] = None,
    baseline: Annotated[
        Path | None, _option("--baseline", group=RESULT, help="File of accepted findings, which are not reported.")
    ] = None,
    update_baseline: Annotated[
        bool, _option("--update-baseline", group=RESULT, help="Accept what is found now: write the file anew.")
    ] = False,
    format: Annotated[_FORMATS | None, _option("--format", group=REPORT, help="Default: text.")] = None,
    output: Annotated[
        Path | None, _option("--output", "-o", group=REPORT, help="File for the report; - is standard output.")
    ] = None,
    contact_sheet: Annotated[
        Path | None, _option("--contact-sheet", group=REPORT, help="Picture (.png, .jpg) of some of the boxes to draw.")
    ] = None,
    statistics: Annotated[
        bool | None, _option("--statistics/--no-statistics", group=REPORT, help="Counts per rule, not each finding.")
    ] = None,
    fix: Annotated[
        bool, _option("--fix", group=MENDING, help="Write NAME.fixed.jsonl with safe fixes applied, then check that.")
    ] = False,
    unsafe_fixes: Annotated[
        bool, _option("--unsafe-fixes", group=MENDING, help="Apply fixes too that may change what a row means.")
    ] = False,
    diff: Annotated[bool, _option("--diff", group=MENDING, help="Show what would change; write nothing.")] = False,
    fixed_out: Annotated[
        Path | None, _option("--fixed-out", group=MENDING, help="Name of the new file, for one data file.")
    ] = None,
    max_length: Annotated[
        int | None, _option("--max-length", group=MEANING, help="Most tokens of a sample. Default: 4096.")
    ] = None,
    truncation: Annotated[
        Literal["reject", "error", "drop-turns", "fewer-tiles"] | None,
        _option("--truncation", group=MEANING, help="What convert shall do with longer rows. Default: reject."),
    ] = None,
    max_num: Annotated[
        int | None, _option("--max-num", group=MEANING, help="Most tiles per image. Default: 12.")
    ] = None,
    system: Annotated[
        str | None, _option("--system", group=MEANING, help="System prompt of rows that name none; '' is none.")
    ] = None,
    box_style: Annotated[
        Literal["swift", "internvl"] | None, _option("--box-style", group=MEANING, help="Boxes. Default: swift.")
    ] = None,
    missing_image_tag: Annotated[
        Literal["last", "first"] | None,
        _option("--missing-image-tag", group=MEANING, help="Where missing <image> tags go. Default: last."),
    ] = None,
    special_text: Annotated[
        Literal["reject", "keep"] | None,
        _option("--special-text", group=MEANING, help="Control tokens spelled out. Default: reject."),
    ] = None,
    pack_length: Annotated[
        int | None,
        _option("--pack-length", group=MEANING, help="Tokens of a pack, for the budget. Default: --max-length."),
    ] = None,
    exif: Annotated[
        Literal["ignore", "apply"] | None,
        _option("--exif", group=MEDIA, help="EXIF orientation of images. Default: ignore."),
    ] = None,
    video_frames: Annotated[
        int | None, _option("--video-frames", group=MEDIA, help="Frames taken from each video. Default: 8.")
    ] = None,
    media_timeout: Annotated[
        int | None,
        _option("--media-timeout", group=MEDIA, help="Seconds that reading one video may take. Default: 60."),
    ] = None,
    media_root: Annotated[
        Path | None,
        _option("--media-root", group=MEDIA, help="Where media paths start. Default: the data file's folder."),
    ] = None,
    allow_urls: Annotated[
        bool | None, _option("--allow-urls/--no-allow-urls", group=MEDIA, help="Fetch media given as URLs.")
    ] = None,
    allow_private_urls: Annotated[
        bool | None,
        _option("--allow-private-urls/--no-allow-private-urls", group=MEDIA, help="Fetch from private addresses too."),
    ] = None,
    allow_outside_root: Annotated[
        bool | None,
        _option("--allow-outside-root/--no-allow-outside-root", group=MEDIA, help="Read media outside the media root."),
    ] = None,
    val: Annotated[
        list[str] | None,
        _option("--val", group=RUN, help="Data file of the validation split, held against the others; repeatable."),
    ] = None,
    sample: Annotated[
        int | None, _option("--sample", group=RUN, min=1, help="Check so many rows, always the same ones.")
    ] = None,
    cache: Annotated[
        Path | None,
        _option("--cache", group=RUN, help="Folder to remember things in. Default: dataprep in the user's caches."),
    ] = None,
    no_cache: Annotated[
        bool | None, _option("--no-cache/--use-cache", group=RUN, help="Check everything anew, and remember nothing.")
    ] = None,
    jobs: Annotated[
        int | None, _option("--jobs", "-j", group=RUN, min=1, help="Worker processes. Default: 1.")
    ] = None,
    config: Annotated[
        Path | None, _option("--config", group=RUN, help="Options file, in place of the nearest pyproject.toml.")
    ] = None,
    isolated: Annotated[bool, _option("--isolated", group=RUN, help="Read no options file.")] = False,
) -> None:  # fmt: skip
    """Say what is wrong with data files, before a GPU is rented.

    Exit codes: 0 clean, 1 findings, 2 could not run, 3 stopped by --max-findings.
    """
    given = dict(locals())
    from dataprep.linting_run import run_lint

    raise typer.Exit(run_lint(given.pop("paths"), gather(given)))


def gather(given: dict[str, Any]) -> LintRun:
    """Return the run that options and the options file ask for.

    Args:
        given: The values of the command's parameters; None, False or empty where an option was not given.

    Raises:
        ConfigError: If an option or the file cannot be used.
    """
    from dataprep.config import FixConfig, LintConfig, ReportConfig, RuleConfig
    from dataprep.config_files import find_table
    from dataprep.linting_run import LintRun

    config, isolated, update_baseline = given.pop("config"), given.pop("isolated"), given.pop("update_baseline")
    fixing = {name: given.pop(name) for name in _RUN_FIELDS}
    values = {
        **find_table(Path.cwd(), config=config, isolated=isolated).values,
        **{_FIELDS.get(name, name): _CONVERT.get(name, _same)(v) for name, v in given.items() if v not in (None, [])},
    }
    rules = RuleConfig(**{name: values.pop(name) for name in _RULE_FIELDS if name in values})
    report = ReportConfig(**{name: values.pop(name) for name in _REPORT_FIELDS if name in values})
    return LintRun(
        lint=LintConfig(rules=rules, **values),
        report=report,
        fix=FixConfig(**fixing),
        update_baseline=update_baseline,
    )


def _same(value: Any) -> Any:
    return value


def _split(values: list[str]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _pairs(values: list[str], option: str, example: str) -> list[tuple[str, str]]:
    from dataprep.errors import ConfigError

    pairs = []
    for value in values:
        left, equals, right = value.rpartition("=")
        if not (left and equals and right):
            raise ConfigError(f"{option} is {value!r}, expected a pair such as {example}")
        pairs.append((left, right))
    return pairs


def _severities(values: list[str]) -> tuple[tuple[str, str], ...]:
    return tuple(_pairs(values, "--severity", "G402=warning"))


def _per_file_ignores(values: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    pairs = _pairs(values, "--per-file-ignores", "'old_*.jsonl=G402,T2'")
    return tuple((pattern, _split([codes])) for pattern, codes in pairs)


_FIELDS = {"for_model": "model_type", "severity": "severities"}
_CONVERT: dict[str, Callable[[Any], Any]] = {
    "select": _split, "extend_select": _split, "ignore": _split, "severity": _severities,
    "per_file_ignores": _per_file_ignores, "val": tuple,
}  # fmt: skip
