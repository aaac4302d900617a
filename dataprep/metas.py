"""InternVL's meta file: one JSON object that names data sets, each with its rows and the folder of its media.

``{"NAME": {"root": FOLDER, "annotation": FILE, "data_augment": false, "repeat_time": 1, "length": 566747}, ...}``

A meta stands for its data files, each with its own media root. Paths are looked for from the folder of the meta, then
from the working folder, as InternVL's own code does. Every row is read once: what else a meta says of how to train
(``repeat_time``, ``data_augment``, tiles) is told as a warning, never applied in silence.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from dataprep.config import ConvertConfig, FileRoot, LintConfig
from dataprep.errors import SourceError

_log = logging.getLogger(__name__)
_MOST_BYTES = 16 << 20
_ROOT_KEYS = ("root", "media_root")
_KNOWN = {*_ROOT_KEYS, "annotation", "data_augment", "repeat_time", "length"}

Config = TypeVar("Config", LintConfig, ConvertConfig)


def expand_metas(paths: Sequence[str], config: Config) -> tuple[list[str], Config]:
    """Return paths with the data files of metas in place of the metas, and a configuration that knows their roots.

    Args:
        paths: Data files, folders and metas; other than metas they come back as they are.
        config: Its ``val`` may name metas too; a relative ``root`` starts at its ``media_root`` if there is one.

    Raises:
        SourceError: If a meta names a file or folder that is not there.
    """
    roots = list(config.media_roots)
    files = list(_expand(paths, config.media_root, roots))
    val = tuple(_expand(config.val, config.media_root, roots))
    if len(roots) == len(config.media_roots):
        return files, config
    return files, replace(config, val=val, media_roots=tuple(roots))


def _expand(paths: Sequence[str], media_root: Path | None, roots: list[FileRoot]) -> Iterator[str]:
    for path in paths:
        meta = read_meta(path)
        if meta is None:
            yield path
            continue
        for name, entry in meta.items():
            file, root = _places(path, name, entry, media_root)
            other = next((known for known in roots if known.file == file and known.root != root), None)
            if other is not None:
                raise SourceError(f"{path}: {file} has the root {root} in {name!r} and {other.root} elsewhere; copy it")
            roots.append(FileRoot(file, root, path))
            _warn(path, name, entry)
            yield file


def read_meta(path: str) -> dict[str, dict[str, Any]] | None:
    """Return the entries of a meta file by name; None for any other file."""
    place = Path(path)
    if place.suffix != ".json" or not place.is_file() or place.stat().st_size > _MOST_BYTES:
        return None
    try:
        with place.open("rb") as file:
            if not file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
                return None
            file.seek(0)
            value = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None  # whatever is wrong with it is found where its rows are read
    is_meta = isinstance(value, dict) and bool(value) and all(map(_is_entry, value.values()))
    return value if is_meta else None


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("annotation"), str)


def _places(meta: str, name: str, entry: dict[str, Any], media_root: Path | None) -> tuple[str, Path]:
    file = _find(Path(entry["annotation"]), meta, None)
    if file is None:
        raise SourceError(f"{meta}: {name!r} names the data file {entry['annotation']}, which is {_nowhere(meta)}")
    written = next((entry[key] for key in _ROOT_KEYS if entry.get(key)), "")
    if not isinstance(written, str):
        raise SourceError(f"{meta}: the root of {name!r} is no text; write the folder of its media")
    root = _find(Path(written), meta, media_root) if written else Path(file).parent
    if root is None or not root.is_dir():
        raise SourceError(f"{meta}: {name!r} names the media root {written}, which is {_nowhere(meta)}")
    return str(file), root


def _find(path: Path, meta: str, first: Path | None) -> Path | None:
    bases = [base for base in (first, Path(meta).parent, Path()) if base is not None]
    return next((base / path for base in bases if (base / path).exists()), None)


def _nowhere(meta: str) -> str:
    return f"neither below {Path(meta).parent} nor below {Path.cwd()}; correct the meta file, or run from its project"


def _warn(meta: str, name: str, entry: dict[str, Any]) -> None:
    """Say what of an entry is not applied."""
    repeat = entry.get("repeat_time", 1)
    if repeat != 1:
        _log.warning("%s: repeat_time %r of %r is not applied: every row is read once", meta, repeat, name)
    if entry.get("data_augment"):
        _log.warning("%s: data_augment of %r is not applied: pictures stay as they are", meta, name)
    others = sorted(set(entry) - _KNOWN)
    if others:
        _log.warning(
            "%s: %s of %r not read; options of the command say it for all files", meta, ", ".join(others), name
        )
