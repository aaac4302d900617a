"""The commands that make fitting shards out of others: ``remask`` and ``retemplate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dataprep.cli_options import Format

if TYPE_CHECKING:
    from dataprep.shards.manifest import Manifest

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


def _print(manifest: Manifest, out: Path, output: str) -> None:
    from dataprep.reports.conversion import print_conversion

    if output == "json":
        sys.stdout.write(manifest.to_json())
        return
    from rich.console import Console

    print_conversion(manifest, str(out), Console())
