"""The command line: parse, call, print, exit code. No logic of its own.

Commands of other packages join through the entry-point group ``dataprep.commands`` and are imported only when they
are run or listed; none of them loads torch to say what it does. Exit codes: 0 fine, 1 findings, 2 could not
run, 3 stopped by a limit.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dataprep.cli_import import import_app
from dataprep.cli_lint import lint_command
from dataprep.cli_options import (
    AllowOutside,
    AllowPrivate,
    AllowUrls,
    BoxStyle,
    Cache,
    ConvertPaths,
    Engine,
    Exif,
    Format,
    ForModel,
    Frames,
    GroupedCommand,
    Jobs,
    LossMask,
    MaxLength,
    MaxNum,
    MediaRoot,
    MediaTimeout,
    MissingTag,
    ModelDir,
    NoCache,
    OnBad,
    RayAddress,
    ShardDir,
    SpecialText,
    System,
    Truncation,
    WorkDir,
    complete_rule,
)
from dataprep.cli_repairs import remask_command, retemplate_command
from dataprep.cli_shards import diff_command, ledger_command

if TYPE_CHECKING:
    from rich.console import Console

    from dataprep.config import ConvertConfig
    from dataprep.conversion import BadRowsError

EXIT_FINDINGS = 1
EXIT_ERROR = 2

app = typer.Typer(
    name="dataprep",
    help="Lint, convert, train and evaluate fine-tuning data for vision-language models of the InternVL family.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 100},
)


@app.command()
def models(output: Format = "text") -> None:
    """List the model types: parameters, template, tiles, abilities, memory needed, and where to get them."""
    from dataprep.reports.models import models_object, print_models

    if output == "json":
        _print_json(models_object())
    else:
        print_models(_console())


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)


app.command(name="lint", cls=GroupedCommand)(lint_command)


@app.command()
def convert(
    context: typer.Context,
    out: Annotated[str, typer.Option(help="Shard directory to make: a folder, or a URI such as s3://bucket/folder.")],
    paths: ConvertPaths = None,
    update: Annotated[
        bool, typer.Option("--update", help="Bring the shards in --out up to date; unchanged rows are taken over.")
    ] = False,
    append: Annotated[
        bool,
        typer.Option("--append", help="Add data files to the shards in --out, with the options of the shards."),
    ] = False,
    mix: Annotated[
        list[str] | None,
        typer.Option(help="Weight of a data file, such as a.jsonl=0.5; or a .toml or .json table; may be repeated."),
    ] = None,
    for_model: ForModel = None,
    model: ModelDir = None,
    max_length: MaxLength = 4096,
    truncation: Truncation = "reject",
    max_num: MaxNum = None,
    loss_mask: LossMask = "answers",
    media: Annotated[Literal["embed", "link"], typer.Option(help="Copy media into the shards, or link.")] = "embed",
    media_root: MediaRoot = None,
    system: System = None,
    box_style: BoxStyle = "swift",
    missing_image_tag: MissingTag = "last",
    special_text: SpecialText = "reject",
    exif: Exif = "ignore",
    video_frames: Frames = 8,
    media_timeout: MediaTimeout = 60,
    on_bad: OnBad = "error",
    max_bad_ratio: Annotated[float, typer.Option(help="Largest share of bad rows that skip accepts.")] = 0.05,
    split: Annotated[
        list[str] | None, typer.Option(help="Draw a split by media content, such as val=0.01; may be repeated.")
    ] = None,
    split_like: Annotated[
        Path | None, typer.Option(help="Shard directory whose rows keep the split that they have there.")
    ] = None,
    split_by: Annotated[
        Literal["picture", "bytes"],
        typer.Option(help="Keep pictures that look alike in one split (decodes them), or only equal files."),
    ] = "picture",
    fix: Annotated[
        bool, typer.Option("--fix", help="Apply safe fixes to rows; the data files stay as they are.")
    ] = False,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Leave out rows that repeat an earlier one, media included.")
    ] = False,
    val: Annotated[list[str] | None, typer.Option(help="Data file of the split val; may be repeated.")] = None,
    allow_urls: AllowUrls = False,
    allow_private_urls: AllowPrivate = False,
    allow_outside_root: AllowOutside = False,
    cache: Cache = None,
    no_cache: NoCache = False,
    jobs: Jobs = 1,
    engine: Engine = "local",
    ray_address: RayAddress = None,
    work_dir: WorkDir = None,
    output: Format = "text",
) -> None:
    """Turn data files into pre-tokenized Arrow shards that account for every row."""
    from dataprep.config import ConvertConfig
    from dataprep.errors import ConfigError
    from dataprep.mixing import read_mix
    from dataprep.shards.storage import require_local, to_place

    options: dict[str, Any] = {
        "model_type": for_model, "model": model, "max_length": max_length, "truncation": truncation,
        "max_num": max_num, "media": media, "media_timeout": media_timeout,
        "media_root": media_root, "system": system, "box_style": box_style, "missing_image_tag": missing_image_tag,
        "special_text": special_text, "exif": exif, "video_frames": video_frames, "on_bad": on_bad,
        "max_bad_ratio": max_bad_ratio, "split": tuple(split or ()) or None, "split_like": split_like,
        "split_by": split_by, "val": tuple(val or ()), "allow_urls": allow_urls,
        "allow_private_urls": allow_private_urls, "allow_outside_root": allow_outside_root, "cache": cache,
        "no_cache": no_cache, "jobs": jobs, "loss_mask": loss_mask, "fix": fix,
        "drop_duplicates": drop_duplicates, "mix": read_mix(mix or ()), "engine": engine, "ray_address": ray_address,
        "work_dir": work_dir,
    }  # fmt: skip
    if update and append:
        raise ConfigError("--update names all data files or none, --append those to add; leave one of them out")
    if append and not (paths or val or mix):
        raise ConfigError("--append has no data files to add; name them, or use --update to read the old ones again")
    if update or append:
        _update(paths or [], require_local(to_place(out)), options, context, output, is_append=append)
    else:
        _convert(paths or [], out, ConvertConfig(**options), output)


def _update(
    paths: list[str], out: Path, options: dict[str, Any], context: typer.Context, output: str, *, is_append: bool
) -> None:
    from dataprep import updating
    from dataprep.config import ConvertConfig
    from dataprep.conversion import BadRowsError
    from dataprep.errors import LongRowsError
    from dataprep.reports.conversion import print_update, update_object
    from dataprep.reports.progress import count_stages

    recorded = updating.recorded_options(updating.open_manifest(out))
    names = {"for_model" if name == "model_type" else name: name for name in recorded}
    for parameter, name in names.items():
        if not _is_given(context, parameter):
            options[name] = recorded[name]
    run = updating.append if is_append or not (paths or options["val"]) else updating.update
    try:
        with count_stages() as progress:
            done = run(paths, out, ConvertConfig(**options), progress=progress)
    except BadRowsError as error:
        _refuse(error)
    except LongRowsError as error:
        _print_error(error)
        raise typer.Exit(EXIT_FINDINGS) from error
    if output == "json":
        _print_json(update_object(done))
    else:
        print_update(done, str(out), _console())


def _is_given(context: typer.Context, parameter: str) -> bool:
    source = context.get_parameter_source(parameter)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def _convert(paths: list[str], out: str, config: ConvertConfig, output: str) -> None:
    from dataprep.conversion import BadRowsError
    from dataprep.conversion import convert as run_convert
    from dataprep.errors import LongRowsError
    from dataprep.reports.conversion import print_conversion
    from dataprep.reports.progress import count_stages
    from dataprep.shards.storage import to_place

    try:
        with count_stages() as progress:
            notice = _note if output == "text" else _keep_quiet
            manifest = run_convert(paths, out, config, progress=progress, notice=notice)
    except BadRowsError as error:
        _refuse(error)
    except LongRowsError as error:
        _print_error(error)
        raise typer.Exit(EXIT_FINDINGS) from error
    if output == "json":
        _print_json(manifest.to_json())
    else:
        # As a place is shown: without the secrets that a URI may hold.
        print_conversion(manifest, str(to_place(out)), _console())


def _note(text: str) -> None:
    typer.echo(f"{text[0].upper()}{text[1:]}.", err=True)


def _keep_quiet(text: str) -> None:
    """Say nothing to programs."""


def _refuse(error: BadRowsError) -> None:
    from dataprep.reports.conversion import print_bad_rows

    print_bad_rows(error, _console(stderr=True))
    _print_error(error)
    raise typer.Exit(EXIT_FINDINGS)


@app.command()
def verify(
    directory: ShardDir,
    output: Format = "text",
) -> None:
    """Check every file of a shard directory against its manifest, and the rows against each other."""
    from dataprep.shards.verify import verify as run_verify

    report = run_verify(directory)
    if output == "json":
        _print_json({"ok": report.ok, "files_checked": report.files_checked, "problems": list(report.problems)})
    else:
        from dataprep.reports.visible import make_visible

        for problem in report.problems:
            typer.echo(make_visible(problem))
        typer.echo(f"{report.files_checked} files checked: {'all is well' if report.ok else 'NOT what was written'}")
    raise typer.Exit(0 if report.ok else EXIT_FINDINGS)


app.command(name="ledger")(ledger_command)
app.command(name="diff")(diff_command)
app.add_typer(import_app, name="import")
app.command(name="remask")(remask_command)
app.command(name="retemplate")(retemplate_command)


@app.command()
def explain(
    code: Annotated[str, typer.Argument(help="Rule code or name, such as G402.", autocompletion=complete_rule)],
) -> None:
    """Print the page of a rule."""
    from dataprep.reports.rule_pages import rule_page

    page = rule_page(code)
    if not sys.stdout.isatty():
        typer.echo(page)
        return
    from rich.markdown import Markdown

    _console().print(Markdown(page))


@app.command()
def rules(output: Format = "text") -> None:
    """List all rules of the linter."""
    from dataprep.reports.rule_pages import rule_objects

    entries = rule_objects()
    if output == "json":
        _print_json(entries)
    else:
        for entry in entries:
            typer.echo(f"{entry['code']}  {entry['severity']:7}  {entry['name']:32}  {entry['summary']}")


def _print_json(value: object) -> None:
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def _print_error(error: object) -> None:
    from dataprep.reports.visible import make_visible

    print(f"error: {make_visible(str(error))}", file=sys.stderr)


def _add_commands(arguments: list[str]) -> None:
    """Add the commands of the packages above: the one that is called, or all of them where help may be shown."""
    called = next((argument for argument in arguments if not argument.startswith("-")), "")
    own = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    if called in own | {group.name for group in app.registered_groups}:
        return
    from importlib.metadata import entry_points

    entries = sorted(entry_points(group="dataprep.commands"), key=lambda entry: entry.name)
    for entry in [entry for entry in entries if entry.name == called] or entries:
        app.command(name=entry.name)(entry.load())


def _dashes(arguments: list[str]) -> list[str]:
    """Return the arguments with option names written with dashes; their values stay as they are."""
    changed: list[str] = []
    for index, argument in enumerate(arguments):
        if argument == "--":
            return changed + arguments[index:]
        name, equals, value = argument.partition("=")
        changed.append(name.replace("_", "-") + equals + value if argument.startswith("--") else argument)
    return changed


def main() -> None:
    """Run the command line."""
    from dataprep.errors import DataprepError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding cannot show is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    arguments = _dashes(sys.argv[1:])
    _add_commands(arguments)
    try:
        app(args=arguments)
    except DataprepError as error:
        _print_error(error)
        sys.exit(EXIT_ERROR)
    except MemoryError:
        _print_error("there is not enough memory for these rows; use fewer jobs (-j 1), or take very long rows out")
        sys.exit(EXIT_ERROR)
    except BrokenPipeError:
        # The reader of our output has gone (head, less): not an error, but Python would complain while exiting.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        # A path that the system refuses, or a full disk behind our output.
        place = f"{error.filename}: " if error.filename else ""
        _print_error(f"{place}{error.strerror or error}; check the path, its permissions and its disk")
        sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
