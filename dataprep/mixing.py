"""Weights of data files, from the command line or from a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dataprep.errors import ConfigError

_SUFFIXES = (".toml", ".json")


def read_mix(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return pairs of a data file and its weight.

    Args:
        texts: ``FILE=WEIGHT``, or TOML or JSON files that hold one table of such pairs; paths in them are relative to
            the file that they stand in.

    Raises:
        ConfigError: If one is neither, a weight is no number, or a data file has two weights.
    """
    pairs: dict[str, float] = {}
    for text in texts:
        path, equals, weight = text.rpartition("=")
        table = {path: weight} if equals else _read_table(text)
        for name, value in table.items():
            if name in pairs:
                raise ConfigError(f"--mix gives {name} two weights; leave one of them out")
            pairs[name] = _weight(name, value)
    return tuple(pairs.items())


def _weight(name: str, value: object) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        return float(value)
    except ValueError as error:
        raise ConfigError(f"--mix {name}={value}: a weight is a number, such as 0.5 for half of the rows") from error


def _read_table(text: str) -> dict[str, object]:
    path = Path(text)
    if path.suffix.lower() not in _SUFFIXES or not path.is_file():
        raise ConfigError(f"--mix {text} is neither FILE=WEIGHT nor a .toml or .json file; write a.jsonl=0.5, say")
    import tomllib

    try:
        content = path.read_text(encoding="utf-8")
        table = tomllib.loads(content) if path.suffix.lower() == ".toml" else json.loads(content)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as a table of weights ({error}); check the file") from error
    if not isinstance(table, dict):
        raise ConfigError(f'{path}: holds no table; write one such as {{"a.jsonl": 2, "b.jsonl": 0.5}}')
    return {str(path.parent / name): value for name, value in table.items()}
