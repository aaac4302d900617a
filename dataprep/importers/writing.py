"""Import on one page: annotations -> images -> rows -> one file of rows and its account, both atomic."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataprep.errors import ConfigError, SourceError
from dataprep.importers.account import ImportAccount
from dataprep.importers.annotations import AnnotatedImage
from dataprep.importers.rows import ImportConfig, RowMaker, to_line
from dataprep.shards.atomic import atomic_file

ACCOUNT_SUFFIX = ".import.json"
_EVERY = 256


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import wrote.

    Attributes:
        out: The file of rows.
        account: The account, also in ``OUT.import.json``.
        media_root: Folder to name with ``--media-root``; None where the paths start at the folder of the rows.
    """

    out: Path
    account: ImportAccount
    media_root: Path | None


def write_rows(
    images: Iterable[AnnotatedImage],
    out: Path,
    folder: Path,
    config: ImportConfig,
    account: ImportAccount,
    *,
    source: dict[str, Any],
    progress: Callable[[int], None] = lambda rows: None,
) -> ImportResult:
    """Write the rows of images, and the account beside them.

    Args:
        images: What an importer yields.
        out: JSON Lines file to make; an older one is replaced.
        folder: Where the images lie.
        config: The task.
        account: The account that the importer keeps too.
        source: What was imported and how, for the account.
        progress: Called with numbers of rows.

    Raises:
        SourceError: If no row comes out, or something is damaged and ``strict``; nothing is written then.
        ShardError: If the system refuses to write.
    """
    if out.suffix != ".jsonl":
        raise ConfigError(f"--out {out} must end in .jsonl: rows are written as JSON Lines")
    prefix, told_in = _prefix(out, folder), Path(f"{out}{ACCOUNT_SUFFIX}")
    told = 0
    maker = RowMaker(config, account, prefix=prefix or "")
    with atomic_file(out) as file:
        for image in images:
            for row in maker.rows(image):
                file.write(to_line(row))
            if account.rows_out - told >= _EVERY:
                progress(account.rows_out - told)
                told = account.rows_out
        assert account.adds_up, f"the account of the import does not add up: {account.to_object()}"
        _refuse(config, account)
        told_in.unlink(missing_ok=True)  # no account rather than that of older rows, should the run end here
    with atomic_file(told_in) as file:
        text = json.dumps({**source, **account.to_object()}, ensure_ascii=False, indent=2)
        file.write(f"{text}\n".encode("utf-8", "backslashreplace"))
    return ImportResult(out, account, folder if prefix is None else None)


def _prefix(out: Path, folder: Path) -> str | None:
    """Return what leads from the folder of the rows to that of the images; None if they lie outside."""
    home = out.resolve().parent
    if not folder.resolve().is_relative_to(home):
        return None
    way = folder.resolve().relative_to(home).as_posix()
    return "" if way == "." else f"{way}/"


def _refuse(config: ImportConfig, account: ImportAccount) -> None:
    if config.strict and account.damage:
        kinds = "; ".join(f"{note.count:,} x {kind} ({note.examples[0]})" for kind, note in account.damage.items())
        raise SourceError(f"--strict: {kinds}; nothing was written: mend the annotations, or import without --strict")
    if account.rows_out == 0:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in account.left_out.items()) or "none left out"
        raise SourceError(
            f"no row for --task {config.task} in {account.annotations_in:,} annotations ({reasons}) of "
            f"{account.images_in:,} images; nothing was written: check --task and the paths"
        )
