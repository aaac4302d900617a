"""The commands that make fitting shards out of others: ``remask`` and ``retemplate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from dataprep.cli_options import Format, ForModel, Jobs

if TYPE_CHECKING:
    from dataprep.conversion import BadRowsError
    from dataprep.shards.manifest import Manifest

EXIT_FINDINGS = 1
Shards = Annotated[Path, typer.Argument(help="Shard directory; it is left as it is.")]
Out = Annotated[Path, typer.Option(help="Shard directory to make.")]


def remask_command(
    shards: Shards,
    loss_mask: Annotated[
        Literal["answers", "last-answer"], typer.Option(help="Train every answer of a row, or its last answer alone.")
    ],
    out: Out,
    output: Format = "text",
) -> None:
    """Change which answers of shards are trained; needs neither data files nor media nor a tokenizer."""
    from dataprep.remasking import remask
    from dataprep.reports.progress import count_stages

    with count_stages() as progress:
        manifest = remask(shards, out, loss_mask, progress=progress)
    _print(manifest, out, output)


def retemplate_command(
    shards: Shards,
    model: Annotated[Path, typer.Option(help="Folder with the model's tokenizer.")],
    out: Out,
    for_model: ForModel = None,
    max_length: Annotated[int | None, typer.Option(help="Most tokens of a sample. Default: as in the shards.")] = None,
    max_num: Annotated[int | None, typer.Option(help="Most tiles per image. Default: as in the shards.")] = None,
    system: Annotated[
        str | None, typer.Option(help="System prompt of rows that name none; '' is none. Default: as in the shards.")
    ] = None,
    box_style: Annotated[
        Literal["swift", "internvl"] | None, typer.Option(help="How boxes are written. Default: as in the shards.")
    ] = None,
    loss_mask: Annotated[
        Literal["answers", "last-answer"] | None, typer.Option(help="What is trained. Default: as in the shards.")
    ] = None,
    source_root: Annotated[
        Path | None, typer.Option(help="Folder that the data files lie under now, where they were moved.")
    ] = None,
    on_bad: Annotated[
        Literal["error", "skip"], typer.Option(help="End the run on rows that the new model does not take, or reject.")
    ] = "error",
    max_bad_ratio: Annotated[float, typer.Option(help="Largest share of such rows that skip accepts.")] = 0.05,
    jobs: Jobs = 1,
    output: Format = "text",
) -> None:
    """Tokenize the rows of shards again for another model; needs the data files, but no media."""
    from dataprep.conversion import BadRowsError
    from dataprep.reports.progress import count_stages
    from dataprep.retemplating import RetemplateConfig, retemplate
    from dataprep.shards.manifest import read_manifest

    config = RetemplateConfig(
        model=model, model_type=for_model, max_length=max_length, max_num=max_num, system=system, box_style=box_style,
        loss_mask=loss_mask, source_root=source_root, on_bad=on_bad, max_bad_ratio=max_bad_ratio, jobs=jobs,
    )  # fmt: skip
    num_rejected = read_manifest(shards).ledger.rejected
    try:
        with count_stages() as progress:
            manifest = retemplate(shards, out, config, progress=progress)
    except BadRowsError as error:
        _refuse(error)
    _print(manifest, out, output)
    if num_rejected:
        told = "1 row that was" if num_rejected == 1 else f"{num_rejected:,} rows that were"
        print(f"{told} rejected before stay out; 'dataprep convert' would try again", file=sys.stderr)


def _refuse(error: BadRowsError) -> NoReturn:
    from rich.console import Console

    from dataprep.reports.conversion import print_bad_rows
    from dataprep.reports.visible import make_visible

    print_bad_rows(error, Console(stderr=True))
    print(f"error: {make_visible(str(error))}", file=sys.stderr)
    raise typer.Exit(EXIT_FINDINGS)


def _print(manifest: Manifest, out: Path, output: str) -> None:
    from dataprep.reports.conversion import print_conversion

    if output == "json":
        sys.stdout.buffer.write(manifest.to_json().encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
        return
    from rich.console import Console

    print_conversion(manifest, str(out), Console())
