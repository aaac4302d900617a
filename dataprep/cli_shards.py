"""The commands that ask shard directories and data files questions: ``ledger`` and ``diff``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any, NoReturn

import typer

from dataprep.cli_options import Format, ForModel, Jobs, MediaRoot, ModelDir, ShardDir, complete_rule

EXIT_FINDINGS = 1


def _write(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def _write_json(value: Any) -> None:
    _write([json.dumps(value, ensure_ascii=False, indent=2)])


def ledger_command(
    directory: ShardDir,
    outcome: Annotated[str | None, typer.Option(help="List the rows that were converted, rejected, ...")] = None,
    code: Annotated[
        str | None, typer.Option(help="List the rows that carry a rule code.", autocompletion=complete_rule)
    ] = None,
    why: Annotated[str | None, typer.Option(help="Tell what became of one row.", metavar="FILE:LINE")] = None,
    output: Format = "text",
) -> None:
    """Say what became of every row: converted, repaired, rejected or duplicate, and whether it adds up."""
    from dataprep.errors import ConfigError

    if why is not None and (outcome or code):
        raise ConfigError("--why tells of one row and takes no --outcome or --code; leave one of them out")
    if why is not None:
        _print_stories(directory, why, output)
    elif outcome or code:
        _print_entries(directory, outcome, code, output)
    else:
        _print_totals(directory, output)


def _print_stories(directory: str, place: str, output: str) -> None:
    from dataprep.reports.ledger import story_lines, story_object
    from dataprep.shards.stories import why

    stories = why(directory, place)
    if output == "json":
        _write_json([story_object(story) for story in stories])
    else:
        _write(line for story in stories for line in story_lines(story))


def _print_entries(directory: str, outcome: str | None, code: str | None, output: str) -> None:
    from dataprep.reports.ledger import entry_line, entry_object
    from dataprep.shards.ledger import entries, ledger

    chosen = entries(directory, outcome=outcome, code=_rule_code(code))
    if output == "json":
        # One object a line: there may be millions.
        _write(json.dumps(entry_object(entry), ensure_ascii=False) for entry in chosen)
    else:
        _write(entry_line(entry) for entry in chosen)
    _end(ledger(directory).problems)


def _rule_code(name: str | None) -> str | None:
    """Return the code of a rule given by code or name; a code that this release does not know stays as it is."""
    from dataprep.rules.table import RULES

    codes = {rule.name: code for code, rule in RULES.items()}
    return None if name is None else codes.get(name.lower(), name.upper())


def _print_totals(directory: str, output: str) -> None:
    from dataprep.reports.ledger import ledger_lines, ledger_object
    from dataprep.shards.ledger import ledger

    report = ledger(directory)
    if output == "json":
        _write_json(ledger_object(report))
        raise typer.Exit(0 if report.ok else EXIT_FINDINGS)
    _write(ledger_lines(report))
    raise typer.Exit(0 if report.ok else EXIT_FINDINGS)


def _end(problems: Iterable[str]) -> NoReturn:
    from dataprep.reports.visible import make_visible

    problems = tuple(problems)
    for problem in problems:
        typer.echo(f"does not add up: {make_visible(problem)}", err=True)
    raise typer.Exit(EXIT_FINDINGS if problems else 0)


def diff_command(
    a: Annotated[str, typer.Argument(help="Shard directory, data file or folder of data files: the older side.")],
    b: Annotated[str, typer.Argument(help="The same kind of thing: the newer side.")],
    limit: Annotated[int, typer.Option(min=0, help="Most rows of each kind to print as text; 0 is all.")] = 20,
    for_model: ForModel = None,
    model: ModelDir = None,
    media_root: MediaRoot = None,
    jobs: Jobs = 1,
    output: Format = "text",
) -> None:
    """Compare shards or data files: rows added, removed and changed, tokens, captions. Exit code 1: they differ.

    The tokens of data files are counted where --for and --model say for which model.
    """
    from dataprep.config import RowConfig
    from dataprep.diffing import diff
    from dataprep.reports.diff import diff_lines, diff_object

    config = None
    if for_model is not None or model is not None:
        config = RowConfig(model_type=for_model, model=model, media_root=media_root)
    found = diff(a, b, config, jobs=jobs)
    if output == "json":
        _write_json(diff_object(found))
    else:
        _write(diff_lines(found, limit=limit))
    raise typer.Exit(0 if found.is_empty else EXIT_FINDINGS)
