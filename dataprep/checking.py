"""Check one chunk of a data file, in whatever process: accept fast what is plain, take the rest through the rules.

``check_chunk`` is the work that lint hands to its workers; what comes back is small, since most rows are fine.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dataprep.blocks import Block, Slice, line_behind
from dataprep.errors import RuleCrash
from dataprep.rules.runner import CheckerRecipe, CheckerSet
from dataprep.sources import RawRow
from dataprep.verdicts import CheckedChunk, ChunkVerdict, format_of, has_videos, join_quiet

if TYPE_CHECKING:
    from dataprep.plain.checker import PlainChecker

_FEWEST_BYTES = 32 << 10
"""Chunks below this go through the rules: to load numpy would take longer."""


def check_chunk(state: ChunkChecker, chunk: Slice | Block | list[RawRow]) -> CheckedChunk:
    """Check a chunk; a slice is checked block by block.

    Raises:
        SourceError: If a slice cannot be read any more.
        RuleCrash: If a rule fails.
    """
    if not isinstance(chunk, Slice):
        verdict = state.check(chunk)
        return CheckedChunk(verdict.path, [verdict])
    verdicts: list[ChunkVerdict] = []
    block: Block | list[RawRow] | None = None
    try:
        for block in chunk.blocks():
            verdicts.append(state.check(block))
    except RuleCrash as crash:
        line = int(crash.location.rpartition(":")[2])
        raise RuleCrash(crash.code, str(chunk.place(line))) from crash
    num_lines = line_behind(block) - 1 if block is not None and not chunk.is_numbered else None
    return CheckedChunk(chunk.location.path, join_quiet(verdicts), num_lines)


@dataclass(frozen=True, slots=True)
class ChunkRecipe:
    """Makes what :func:`check_chunk` needs; picklable."""

    checkers: CheckerRecipe

    def __call__(self) -> ChunkChecker:
        """Make it."""
        return ChunkChecker(self.checkers())


class ChunkChecker:
    """Checks chunks of any of the data files; remembers the shapes of their rows."""

    def __init__(self, checkers: CheckerSet) -> None:
        self._checkers = checkers
        self._plain: dict[str, PlainChecker | None] = {}

    def check(self, chunk: Block | list[RawRow]) -> ChunkVerdict:
        """Check a chunk."""
        verdict = self._check(chunk)
        self._checkers.remember()
        trail = self._checkers.cut_trail()
        return verdict if trail is None else replace(verdict, trail=trail)

    def _check(self, chunk: Block | list[RawRow]) -> ChunkVerdict:
        if isinstance(chunk, list):
            path, size = chunk[0].location.path, sum(len(row.text) for row in chunk)
        else:
            path, size = chunk.location.path, len(chunk.text)
        plain = self._plain_checker(path, size)
        if plain is None:
            return self._check_rows(chunk if isinstance(chunk, list) else list(chunk.rows()), path)
        collector = self._checkers.new_collector(path)
        return plain.check_rows(chunk, collector) if isinstance(chunk, list) else plain.check(chunk, collector)

    def _check_rows(self, rows: list[RawRow], path: str) -> ChunkVerdict:
        checked = self._checkers.for_file(path).check_all(rows)
        found = [(number, row.findings) for number, row in enumerate(checked) if row.findings]
        formats = dict(Counter(map(format_of, checked)))
        facts = self._checkers.new_collector(path).add_all(checked)
        return ChunkVerdict(path, len(rows), formats, found, facts, any(map(has_videos, checked)))

    def _plain_checker(self, path: str, size: int) -> PlainChecker | None:
        if size < _FEWEST_BYTES and "numpy" not in sys.modules:
            return None
        if path not in self._plain:
            from dataprep.plain.checker import PlainChecker, is_covered

            checker = self._checkers.for_file(path)
            self._plain[path] = PlainChecker(path, checker) if is_covered(checker) else None
        return self._plain[path]
