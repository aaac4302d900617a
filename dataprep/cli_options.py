"""Options that several commands share, and help that shows options in groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand


class GroupedCommand(TyperCommand):
    """A command whose help shows options under the names of their groups (``rich_help_panel``), without rich."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, group by group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                title = getattr(parameter, "rich_help_panel", None) or "Options"
                groups.setdefault(title, []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


def complete_model_type(incomplete: str) -> list[str]:
    """Return the model types that begin with what has been typed."""
    from dataprep.catalog import MODEL_TYPES

    return [name for name in MODEL_TYPES if name.startswith(incomplete)]


def complete_rule(incomplete: str) -> list[str]:
    """Return the codes and names of rules that begin with what has been typed."""
    from dataprep.rules.table import RULES

    names = [*RULES, *(rule.name for rule in RULES.values())]
    return [name for name in names if name.lower().startswith(incomplete.lower())]


Paths = Annotated[
    list[str],
    typer.Argument(
        help="Data files (.jsonl, .json, .gz, .zst), folders of them, or InternVL meta files; - is standard input."
    ),
]
ConvertPaths = Annotated[
    list[str] | None,
    typer.Argument(help="Data files (.jsonl, .json, .gz, .zst) or folders of them; FILE#N takes N rows of a file."),
]
ForModel = Annotated[
    str | None,
    typer.Option(
        "--for",
        "--model-type",
        help="Model type, such as internvl2-8b; dataprep models lists them.",
        autocompletion=complete_model_type,
    ),
]
ModelDir = Annotated[Path | None, typer.Option("--model", help="Folder with the model's tokenizer.")]
MediaRoot = Annotated[Path | None, typer.Option(help="Folder that media paths start at. Default: the data file's.")]
MaxLength = Annotated[int, typer.Option(help="Most tokens of a sample, image tokens included.")]
Truncation = Annotated[
    Literal["reject", "error", "drop-turns", "fewer-tiles"],
    typer.Option(help="Longer rows: reject them, end the run, or make them fit with fewer old turns or fewer tiles."),
]
MaxNum = Annotated[int | None, typer.Option(help="Most tiles per image, thumbnail not counted. Default: 12.")]
System = Annotated[str | None, typer.Option(help="System prompt of rows that name none; '' is none.")]
BoxStyle = Annotated[Literal["swift", "internvl"], typer.Option(help="Arithmetic and text of boxes.")]
MissingTag = Annotated[Literal["last", "first"], typer.Option(help="Query that missing <image> tags are put before.")]
SpecialText = Annotated[Literal["reject", "keep"], typer.Option(help="Control tokens spelled out in the data.")]
Exif = Annotated[Literal["ignore", "apply"], typer.Option(help="EXIF orientation of images.")]
Frames = Annotated[int, typer.Option(help="Frames taken from each video.")]
MediaTimeout = Annotated[int, typer.Option(help="Seconds that reading one video may take.")]
AllowUrls = Annotated[bool, typer.Option("--allow-urls", help="Fetch media given as URLs.")]
AllowPrivate = Annotated[bool, typer.Option("--allow-private-urls", help="Fetch from private addresses too.")]
AllowOutside = Annotated[bool, typer.Option("--allow-outside-root", help="Read media outside the media root.")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder to remember media in. Default: dataprep in the user's caches.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Probe all media anew, and remember nothing.")]
LossMask = Annotated[
    Literal["answers", "last-answer"], typer.Option(help="Train every answer of a row, or its last answer alone.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Number of worker processes.")]
OnBad = Annotated[Literal["error", "skip"], typer.Option(help="End the run on bad rows, or reject them.")]
Format = Annotated[Literal["text", "json"], typer.Option("--format", help="What to print on standard output.")]
ShardDir = Annotated[str, typer.Argument(help="Shard directory: a folder, or a URI such as s3://bucket/folder.")]
Engine = Annotated[
    Literal["local", "ray"], typer.Option(help="Work in processes of this machine, or on a Ray cluster.")
]
RayAddress = Annotated[
    str | None, typer.Option(help="Ray cluster. Default: the one that Ray finds, else one on this machine.")
]
WorkDir = Annotated[
    Path | None, typer.Option(help="Folder for unfinished work if --out is a URI. Default: in the user's caches.")
]
