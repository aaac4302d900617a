"""Options of lint from a file: ``[tool.dataprep.lint]`` in ``pyproject.toml``, or ``[lint]`` in ``dataprep.toml``.

The nearest such file counts, looked for from the working folder upwards; files further up are not merged in. Keys are
the names of the options, paths are relative to the file. The schema is ``schemas/lint.config.schema.json``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataprep.errors import ConfigError
from schemas import load_schema

FILE_NAMES = ("dataprep.toml", "pyproject.toml")
_PATHS = ("model", "media_root", "baseline", "cache")
_NAMES = {"for": "model_type", "severity": "severities"}


@dataclass(frozen=True, slots=True)
class LintTable:
    """The options that a file sets.

    Attributes:
        path: The file; None if there is none.
        values: The options, by the names of the fields of the configurations.
    """

    path: Path | None
    values: dict[str, Any]


def find_table(start: Path, *, config: Path | None = None, isolated: bool = False) -> LintTable:
    """Return the options of the file that counts.

    Args:
        start: Where to begin to look.
        config: The file to read in place of looking for one.
        isolated: Whether files are ignored.

    Raises:
        ConfigError: If a file cannot be read or says something that is no option.
    """
    if isolated:
        return LintTable(None, {})
    if config is not None:
        table = _read(config)
        if table is None:
            raise ConfigError(f"{config} has no {_heading(config)} table; add it, or leave out --config")
        return LintTable(config, check_table(table, config))
    for folder in (start, *start.parents):
        for name in FILE_NAMES:
            path = folder / name
            table = _read(path) if path.is_file() else None
            if table is not None:
                return LintTable(path, check_table(table, path))
    return LintTable(None, {})


def _heading(path: Path) -> str:
    return "[tool.dataprep.lint]" if path.name == "pyproject.toml" else "[lint]"


def _read(path: Path) -> dict[str, Any] | None:
    """Return the table of lint in a file; None if it has none."""
    import tomllib  # most folders have no such file

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: no valid TOML ({error}); mend it, or run with --isolated") from error
    if path.name == "pyproject.toml":
        content = content.get("tool", {}).get("dataprep", {})
    unknown = sorted(content.keys() - {"lint"})
    if unknown:
        raise ConfigError(f"{path}: unknown table {unknown[0]!r}; the options of lint stand in {_heading(path)}")
    table = content.get("lint")
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{path}: lint must be a table; write {_heading(path)} and one option per line")
    return table


def check_table(table: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the options of a table by the names of configuration fields.

    Raises:
        ConfigError: If the table does not obey its schema, with the nearest known name for an unknown one.
    """
    table = {key.replace("_", "-"): value for key, value in table.items()}
    schema: Any = load_schema("lint.config")
    properties: dict[str, Any] = schema["properties"]
    for key, value in table.items():
        if key not in properties:
            near = difflib.get_close_matches(key, properties, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(properties)}"
            raise ConfigError(f"{path}: {_heading(path)} has an unknown option {key!r}; {hint}")
        problem = _check_value(value, properties[key])
        if problem:
            raise ConfigError(f"{path}: {key} is {value!r}, expected {problem}")
    return {_field(key): _convert(_field(key), value, path.parent) for key, value in table.items()}


def _check_value(value: object, schema: dict[str, Any]) -> str | None:
    """Return what a value should have been; None if it is that.

    Only what the schema of this table uses is known here; a test holds this check against the full validator, which
    is too slow to load for every run.
    """
    if "enum" in schema:
        return None if value in schema["enum"] else " or ".join(map(str, schema["enum"]))
    kind = schema["type"]
    if kind == "boolean":
        return None if isinstance(value, bool) else "true or false"
    if kind == "integer":
        least = schema.get("minimum", 0)
        is_good = isinstance(value, int) and not isinstance(value, bool) and value >= least
        most = schema.get("maximum")
        range_words = f"a whole number from {least} to {most}" if most is not None else f"a whole number from {least}"
        return None if is_good and (most is None or value <= most) else range_words
    if kind == "string":
        return None if isinstance(value, str) else "text"
    if kind == "array":
        is_good = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        return None if is_good else "a list of texts"
    inner = schema["additionalProperties"]
    if not isinstance(value, dict):
        return "a table"
    return next((f"{problem} for {key!r}" for key, v in value.items() if (problem := _check_value(v, inner))), None)


def _field(key: str) -> str:
    name = key.replace("-", "_")
    return _NAMES.get(name, name)


def _convert(name: str, value: Any, folder: Path) -> Any:
    if name in _PATHS:
        return folder / value
    if name == "val":
        return tuple(str(folder / entry) for entry in value)
    if name == "per_file_ignores":
        return tuple((pattern, tuple(selectors)) for pattern, selectors in value.items())
    if name == "severities":
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value
