"""The commands ``dataprep import coco|voc|yolo|refcoco``: annotations of other tools become native rows."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dataprep.cli_options import Format

if TYPE_CHECKING:
    from dataprep.importers.account import ImportAccount, Note
    from dataprep.importers.annotations import AnnotatedImage
    from dataprep.importers.image_folder import ImageFolder
    from dataprep.importers.rows import ImportConfig
    from dataprep.importers.writing import ImportResult

import_app = typer.Typer(
    help="Turn annotations of other tools (COCO, VOC, YOLO, RefCOCO) into rows, every annotation accounted for.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Out = Annotated[Path, typer.Option(help="File of rows to write (.jsonl); its account goes to OUT.import.json.")]
Images = Annotated[Path | None, typer.Option(help="Folder of the images. Default: looked for near the annotations.")]
Query = Annotated[str | None, typer.Option(help="The question, with <image>; for ground with <ref-object> or <bbox>.")]
Answer = Annotated[str | None, typer.Option(help="The answer with <bbox> and <ref-object>; for detect, per class.")]
Negatives = Annotated[bool, typer.Option("--negatives", help="Write rows of images without objects too (detect).")]
NegativeAnswer = Annotated[str, typer.Option(help="The answer of such rows.")]
Clip = Annotated[bool, typer.Option("--clip", help="Cut boxes at the edges of their image, and count them.")]
Strict = Annotated[bool, typer.Option("--strict", help="Write nothing if any annotation is damaged.")]
BoxTask = Annotated[Literal["detect", "ground"], typer.Option(help="List all objects, or ask for each class alone.")]


@import_app.command("coco")
def coco_command(
    path: Annotated[Path, typer.Argument(help="COCO file, such as instances_train2017.json.")],
    out: Out,
    images: Images = None,
    task: Annotated[
        Literal["detect", "ground", "caption"], typer.Option(help="List all objects, ask for each class, or describe.")
    ] = "detect",
    query: Query = None,
    answer: Answer = None,
    negatives: Negatives = False,
    negative_answer: NegativeAnswer = "None",
    keep_crowd: Annotated[bool, typer.Option("--keep-crowd", help="Take boxes around crowds (iscrowd) too.")] = False,
    clip: Clip = False,
    strict: Strict = False,
    output: Format = "text",
) -> None:
    """Import a COCO file of boxes or captions; polygons and masks are not read."""
    from dataprep.importers.coco import read_coco
    from dataprep.importers.rows import ImportConfig

    config = ImportConfig(
        task=task, images=images, query=query, answer=answer, negatives=negatives, negative_answer=negative_answer,
        clip=clip, strict=strict,
    )  # fmt: skip
    _run(
        path, out, config, path.parent, "coco", output,
        lambda folder, account: read_coco(path, folder, account, task=task, keep_crowd=keep_crowd),
    )  # fmt: skip


@import_app.command("voc")
def voc_command(
    path: Annotated[Path, typer.Argument(help="Folder of XML files (Annotations), or one XML file.")],
    out: Out,
    images: Images = None,
    task: BoxTask = "detect",
    query: Query = None,
    answer: Answer = None,
    negatives: Negatives = False,
    negative_answer: NegativeAnswer = "None",
    origin: Annotated[
        int, typer.Option(min=0, max=1, help="Number of the first pixel: 0, or 1 as in the original VOC.")
    ] = 0,
    skip_difficult: Annotated[bool, typer.Option("--skip-difficult", help="Leave difficult objects out.")] = False,
    skip_truncated: Annotated[bool, typer.Option("--skip-truncated", help="Leave truncated objects out.")] = False,
    clip: Clip = False,
    strict: Strict = False,
    output: Format = "text",
) -> None:
    """Import Pascal VOC annotations: one XML file per image."""
    from dataprep.importers.rows import ImportConfig
    from dataprep.importers.voc import find_voc_images, read_voc

    config = ImportConfig(
        task=task, images=images, query=query, answer=answer, negatives=negatives, negative_answer=negative_answer,
        clip=clip, strict=strict,
    )  # fmt: skip
    _run(
        path, out, config, find_voc_images(path), "voc", output,
        lambda folder, account: read_voc(
            path, folder, account, origin=origin, skip_difficult=skip_difficult, skip_truncated=skip_truncated
        ),
    )  # fmt: skip


@import_app.command("yolo")
def yolo_command(
    path: Annotated[Path, typer.Argument(help="Folder of label files (.txt), or one of them.")],
    out: Out,
    images: Images = None,
    classes: Annotated[
        Path | None, typer.Option(help="Names of the classes: a text file or data.yaml. Default: one near the labels.")
    ] = None,
    task: BoxTask = "detect",
    query: Query = None,
    answer: Answer = None,
    negatives: Negatives = False,
    negative_answer: NegativeAnswer = "None",
    clip: Clip = False,
    strict: Strict = False,
    output: Format = "text",
) -> None:
    """Import YOLO labels: one text file per image, centre and size in 0..1."""
    from dataprep.importers.rows import ImportConfig
    from dataprep.importers.yolo import find_yolo_images, read_class_names, read_yolo

    config = ImportConfig(
        task=task, images=images, query=query, answer=answer, negatives=negatives, negative_answer=negative_answer,
        clip=clip, strict=strict,
    )  # fmt: skip
    names = read_class_names(classes, path if path.is_dir() else path.parent)
    _run(
        path, out, config, find_yolo_images(path if path.is_dir() else path.parent), "yolo", output,
        lambda folder, account: read_yolo(path, folder, account, names=names),
    )  # fmt: skip


@import_app.command("refcoco")
def refcoco_command(
    path: Annotated[Path, typer.Argument(help="Refs as .json, .jsonl or .parquet; never the pickle.")],
    out: Out,
    images: Images = None,
    instances: Annotated[Path | None, typer.Option(help="instances.json with the boxes, for refs without.")] = None,
    split: Annotated[str | None, typer.Option(help="Take only refs of this split, such as train.")] = None,
    box: Annotated[
        Literal["xyxy", "xywh"] | None, typer.Option(help="Form of bbox. Default: follows from the refs' keys.")
    ] = None,
    query: Query = None,
    answer: Answer = None,
    clip: Clip = False,
    strict: Strict = False,
    output: Format = "text",
) -> None:
    """Import RefCOCO, RefCOCO+ or RefCOCOg: one row per phrase."""
    from dataprep.importers.refcoco import read_refcoco
    from dataprep.importers.rows import ImportConfig

    config = ImportConfig(task="ground", images=images, query=query, answer=answer, clip=clip, strict=strict)
    _run(
        path, out, config, path.parent, "refcoco", output,
        lambda folder, account: read_refcoco(
            path, folder, account, instances=instances, split=split, box_form=box
        ),
    )  # fmt: skip


def _run(
    path: Path,
    out: Path,
    config: ImportConfig,
    near: Path,
    name: str,
    output: str,
    read: Callable[[ImageFolder, ImportAccount], Iterable[AnnotatedImage]],
) -> None:
    from dataprep.errors import ConfigError, SourceError
    from dataprep.importers.account import ImportAccount
    from dataprep.importers.image_folder import ImageFolder
    from dataprep.importers.writing import write_rows
    from dataprep.reports.progress import count_rows

    if not path.exists():
        raise SourceError(f"{path}: no such file or folder; check the path (it is relative to {Path.cwd()})")
    if out.exists() and out.samefile(path):
        raise ConfigError(f"--out {out} is the file that is imported, and would be replaced; choose another name")
    folder, account = ImageFolder(config.images or near), ImportAccount()
    source = {"format": name, "source": path.name, "task": config.task}
    with count_rows("importing") as progress:
        result = write_rows(
            read(folder, account), out, folder.folder, config, account, source=source, progress=progress
        )
    if output == "json":
        _print([json.dumps({**source, **account.to_object()}, ensure_ascii=False, indent=2)])
    else:
        _print(_lines(result))


def _lines(result: ImportResult) -> list[str]:
    account = result.account
    lines = [
        f"{result.out}: {account.rows_out:,} rows of {account.images_in:,} images",
        f"{account.annotations_in:,} annotations = {account.annotations_out:,} in the rows "
        f"+ {account.left_out.total():,} left out",
    ]
    lines += [f"  left out: {number:,} {reason}" for reason, number in sorted(account.left_out.items())]
    lines += [f"  images without a row: {number:,} {why}" for why, number in sorted(account.images_left_out.items())]
    lines += [_note(f"damaged: {kind}", note) for kind, note in sorted(account.damage.items())]
    lines += [_note(kind, note) for kind, note in sorted(account.remarks.items())]
    root = "" if result.media_root is None else f" --media-root {shlex.quote(str(result.media_root))}"
    return [*lines, f"next: dataprep lint {shlex.quote(str(result.out))}{root}"]


def _note(kind: str, note: Note) -> str:
    return f"  {kind}: {note.count:,}, such as {note.examples[0]}"


def _print(lines: Iterable[str]) -> None:
    from dataprep.reports.visible import make_visible

    for line in lines:
        text: Any = "\n".join(map(make_visible, line.split("\n")))
        sys.stdout.buffer.write(f"{text}\n".encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
