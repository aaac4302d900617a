"""Find the folder that the media paths of a data file start at, where that is not the media root. Cost: a few stats."""

from __future__ import annotations

import shlex
from pathlib import Path

from dataprep.media.index import MediaFacts
from dataprep.rules.base import CheckedRow

_NOTHING_FOUND = "paths are relative to --media-root, by default the folder of the data file"


def help_for_missing(row: CheckedRow, facts: MediaFacts) -> str:
    """Return the next step for media without a file: the media root under which there is one, if there is."""
    root = _root_with(facts.ref.source, row.raw.location.path)
    return _NOTHING_FOUND if root is None else f"the file is there from {root}: --media-root {shlex.quote(str(root))}"


def _root_with(source: str, data_file: str) -> Path | None:
    """Return the nearest of the working folder and the folders above the data file that has the file, or None."""
    path = Path(source)
    if path.is_absolute() or ".." in path.parts:
        return None
    own = [] if data_file == "-" else Path(data_file).absolute().parents[1:]
    return next((folder for folder in (*own, Path.cwd()) if _is_file(folder / path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, not allowed to look, or with a null byte
        return False
