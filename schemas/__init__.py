"""The JSON Schemas (2020-12) of everything that comes from outside or is read by other programs.

The files beside this module are the definition; code that reads them goes through :func:`load_schema`.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources


@cache
def load_schema(name: str) -> dict[str, object]:
    """Return a schema by name, such as ``row.native`` or ``report``."""
    text = resources.files(__name__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, object] = json.loads(text)
    return schema


def list_schemas() -> list[str]:
    """Return the names of all schemas, sorted."""
    names = (entry.name for entry in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".schema.json") for name in names if name.endswith(".schema.json"))
