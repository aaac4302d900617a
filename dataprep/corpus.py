"""What is remembered of every row for the rules about whole data sets: a few numbers and hashes, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Corpus:
    """The facts of all rows.

    Attributes:
        paths: The data files, in the order given.
        val_paths: Those of them whose rows are for validation.
    """

    paths: list[str] = field(default_factory=list)
    val_paths: frozenset[str] = frozenset()
