"""dataprep: lint and convert fine-tuning data for vision-language models of the InternVL family.

The verbs of the command line as functions: ``lint``, ``convert``, ``verify``, ``ledger`` and ``open_shards``.
Each name is loaded when it is first used, so importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataprep.conversion import convert as convert
    from dataprep.linting import lint as lint
    from dataprep.shards.ledger import ledger as ledger
    from dataprep.shards.reader import open_shards as open_shards
    from dataprep.shards.verify import verify as verify

__version__ = "0.1.0"

_HOMES = {
    "convert": "dataprep.conversion",
    "ledger": "dataprep.shards.ledger",
    "lint": "dataprep.linting",
    "open_shards": "dataprep.shards.reader",
    "verify": "dataprep.shards.verify",
}
__all__ = ["__version__", "convert", "ledger", "lint", "open_shards", "verify"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'dataprep' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
