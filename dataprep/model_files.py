"""The files of a model folder: which tokenizer it holds, and its small JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dataprep.errors import ConfigError

TOKENIZER_FILES = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
"""Files that make a tokenizer; the first kind that is complete counts."""


def tokenizer_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that make a folder's tokenizer; none if it holds none."""
    return next((names for names in TOKENIZER_FILES if all((folder / name).is_file() for name in names)), ())


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file; empty if there is none.

    Raises:
        ConfigError: If it cannot be read or is no object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); copy the model folder again") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} is not a JSON object; copy the model folder again")
    return value
