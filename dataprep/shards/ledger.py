"""Ask the ledger of a shard directory: who went where, does it add up, and the story of one row.

Read batch by batch with pyarrow, so memory does not grow with the number of rows. Training and evaluation ask it
through ``require_accounts`` before the first sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataprep.errors import ConfigError, ShardError, ShardLedgerError
from dataprep.shards.arrow_file import ArrowTable, check_hash, check_size
from dataprep.shards.format import (
    LEDGER_NAME,
    LEDGER_SCHEMA,
    OUTCOMES,
    REJECTED,
    REJECTS_NAME,
    REPAIRED,
    REPAIRS_NAME,
    SAMPLE_OUTCOMES,
    UNSAMPLED,
)
from dataprep.shards.manifest import Manifest, read_manifest
from dataprep.shards.storage import Place, to_place
from dataprep.shards.verify_ledger import check_totals


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """What became of the rows of one data file.

    Attributes:
        path: The file, relative to the manifest's source root.
        rows: Rows that the ledger has of it.
        outcomes: Rows by outcome; every outcome is there, ``unsampled`` only where there are such rows.
        codes: Rows by (outcome, rule code); a row counts under each of its codes.
    """

    path: str
    rows: int
    outcomes: dict[str, int]
    codes: dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What the ledger of a shard directory says.

    Attributes:
        rows_in: Rows that the manifest says were read.
        sources: In the manifest's order; files that only the ledger names come last.
        problems: One sentence for each thing that does not add up, starting with the name of the file.
    """

    rows_in: int
    sources: tuple[SourceAccount, ...]
    problems: tuple[str, ...]

    @property
    def outcomes(self) -> dict[str, int]:
        """Rows by outcome over all sources; ``unsampled`` only where there are such rows."""
        return _named({outcome: sum(s.outcomes.get(outcome, 0) for s in self.sources) for outcome in OUTCOMES})

    @property
    def codes(self) -> dict[tuple[str, str], int]:
        """Rows by (outcome, rule code) over all sources, most frequent first."""
        total: Counter[tuple[str, str]] = Counter()
        for source in self.sources:
            total.update(source.codes)
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    @property
    def ok(self) -> bool:
        """Whether every row is accounted for."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger.

    Attributes:
        source_file: The data file, relative to the manifest's source root.
        source_line: 1-based line in it.
        row_hash: 16 bytes, of the canonical row.
        outcome: ``converted``, ``repaired``, ``rejected``, ``duplicate`` or ``unsampled``.
        codes: Codes of the rules that found something.
        split: Split of the sample; empty where there is none.
        shard: Index of the samples shard; -1 where there is no sample.
        row_in_shard: Row in that file; -1 where there is no sample.
        number: Position in the ledger, from 0.
    """

    source_file: str
    source_line: int
    row_hash: bytes
    outcome: str
    codes: tuple[str, ...]
    split: str
    shard: int
    row_in_shard: int
    number: int


def ledger(path: str | Place) -> LedgerReport:
    """Count what became of every row, and check that the counts add up.

    Args:
        path: A shard directory.

    Returns:
        The report; a ledger that does not add up, or is damaged, is a problem in it and not an error.

    Raises:
        ShardError: If there is no manifest, or it cannot be read.
    """
    directory = to_place(path)
    manifest = read_manifest(directory)
    problems = check_totals(manifest)
    counts = _Counts()
    try:
        _check_file(directory, manifest, LEDGER_NAME)
    except ShardError as error:
        problems.append(_without_folder(error, directory))
    try:
        counts.add_all(open_ledger(directory, manifest).checked_batches())
        problems += counts.problems(manifest)
    except ShardError as error:
        problems.append(_without_folder(error, directory))
    problems += _check_rejects(directory, manifest)
    problems += _check_repairs(directory, manifest)
    return LedgerReport(manifest.ledger.rows_in, counts.sources(manifest), tuple(dict.fromkeys(problems)))


def require_accounts(directory: Place) -> None:
    """Refuse shards whose rows are not all accounted for: what training and evaluation ask first.

    Args:
        directory: The shard directory.

    Raises:
        ShardLedgerError: If the ledger is damaged or does not add up; names the first problem.
        ShardError: If there is no manifest, or it cannot be read.
    """
    problems = ledger(directory).problems
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ShardLedgerError(
            f"{directory}: not every row is accounted for: {problems[0]}{more}; "
            f"run 'dataprep ledger' and 'dataprep verify' on it, then convert again"
        )


def open_ledger(directory: Place, manifest: Manifest) -> ArrowTable:
    """Return the ledger's file; nothing is read yet."""
    return ArrowTable(directory / LEDGER_NAME, LEDGER_SCHEMA, manifest.ledger.rows_in)


def entries(path: str | Place, *, outcome: str | None = None, code: str | None = None) -> Iterator[LedgerEntry]:
    """Yield the rows of the ledger in input order, those with an outcome or a code where asked.

    Args:
        path: A shard directory.
        outcome: One of ``format.OUTCOMES``; None for all.
        code: A rule code; None for all.

    Raises:
        ShardError: If the directory or its ledger cannot be read.
        ConfigError: If there is no such outcome.
    """
    if outcome is not None and outcome not in OUTCOMES:
        raise ConfigError(f"no outcome {outcome!r}; there are {', '.join(OUTCOMES)}")
    directory = to_place(path)
    table = open_ledger(directory, read_manifest(directory))
    first = 0
    for batch in table.checked_batches():
        yield from _chosen(batch, first, outcome, code)
        first += batch.num_rows


def _chosen(batch: pa.RecordBatch, first: int, outcome: str | None, code: str | None) -> Iterator[LedgerEntry]:
    numbered = batch.append_column("number", pa.array(range(first, first + batch.num_rows), pa.int64()))
    if outcome is not None:
        numbered = numbered.filter(pc.equal(numbered.column("outcome"), outcome))
    if code is not None:
        lists = numbered.column("codes")
        carrying = pc.list_parent_indices(lists).filter(pc.equal(pc.list_flatten(lists), code))
        numbered = numbered.take(pc.unique(carrying))
    yield from entries_of(numbered)


def entries_of(numbered: pa.RecordBatch | pa.Table) -> Iterator[LedgerEntry]:
    """Yield the rows of a ledger batch that has a column ``number`` too."""
    for row in numbered.to_pylist():
        yield LedgerEntry(**row | {"codes": tuple(row["codes"])})


class _Counts:
    """Rows by source and outcome, by source, outcome and code, and by shard."""

    def __init__(self) -> None:
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._codes: Counter[tuple[str, str, str]] = Counter()
        self._shards: Counter[int] = Counter()

    def add_all(self, batches: Iterable[pa.RecordBatch]) -> None:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            places = table.select(["source_file", "outcome"])
            _count(self._outcomes, places)
            lists = batch.column("codes")
            if len(codes := pc.list_flatten(lists)):
                _count(self._codes, places.take(pc.list_parent_indices(lists)).append_column("code", codes))
            _count(self._shards, table.select(["shard"]))

    def sources(self, manifest: Manifest) -> tuple[SourceAccount, ...]:
        names = dict.fromkeys([*(source.path for source in manifest.sources), *sorted({n for n, _ in self._outcomes})])
        return tuple(self._source(name) for name in names)

    def _source(self, name: str) -> SourceAccount:
        outcomes = _named({outcome: self._outcomes[name, outcome] for outcome in OUTCOMES})
        codes = {(outcome, code): count for (file, outcome, code), count in self._codes.items() if file == name}
        rows = sum(count for (file, _), count in self._outcomes.items() if file == name)
        return SourceAccount(name, rows, outcomes, codes)

    def problems(self, manifest: Manifest) -> list[str]:
        """Hold the counts against the manifest."""
        problems = []
        by_outcome: Counter[str] = Counter()
        by_source: Counter[str] = Counter()
        for (file, outcome), count in self._outcomes.items():
            by_outcome[outcome] += count
            by_source[file] += count
        told = {outcome: getattr(manifest.ledger, outcome) for outcome in OUTCOMES}
        problems += _differences(by_outcome, told, "{} rows are {!r}, the manifest says {}")
        rows = {source.path: source.rows for source in manifest.sources}
        problems += _differences(by_source, rows, "{} rows of {!r}, the manifest says {}")
        by_code: Counter[str] = Counter()
        for (_, _, code), count in self._codes.items():
            by_code[code] += count
        problems += _differences(by_code, manifest.ledger.by_code, "{} rows carry {!r}, the manifest says {}")
        problems += self._shard_problems(manifest)
        return [f"{LEDGER_NAME}: {problem}" for problem in problems]

    def _shard_problems(self, manifest: Manifest) -> list[str]:
        problems = [
            f"{self._shards[number]:,} rows are in {shard.file}, which has {shard.rows:,}"
            for number, shard in enumerate(manifest.sample_shards)
            if self._shards[number] != shard.rows
        ]
        kept = sum(count for (_, outcome), count in self._outcomes.items() if outcome in SAMPLE_OUTCOMES)
        placed = sum(count for number, count in self._shards.items() if number != -1)
        if placed != kept:
            problems.append(f"{placed:,} rows have a place in a shard, {kept:,} became a sample")
        return problems


def _named(outcomes: dict[str, int]) -> dict[str, int]:
    # Most shards are made of all rows, and then there is nothing to say about a choice.
    return {name: count for name, count in outcomes.items() if count or name != UNSAMPLED}


def _count(counter: Counter[Any], table: pa.Table) -> None:
    names = table.column_names
    for row in table.group_by(names).aggregate([([], "count_all")]).to_pylist():
        key = tuple(row[name] for name in names)
        counter[key if len(key) > 1 else key[0]] += row["count_all"]


def _differences(counted: Counter[str], told: dict[str, int], sentence: str) -> list[str]:
    return [
        sentence.format(f"{counted[name]:,}", name, f"{told.get(name, 0):,}")
        for name in sorted(set(counted) | set(told))
        if counted[name] != told.get(name, 0)
    ]


def _check_file(directory: Place, manifest: Manifest, name: str) -> None:
    check_size(directory / name, manifest.files[name].bytes)
    check_hash(directory / name, manifest.files[name].sha256)


def _check_rejects(directory: Place, manifest: Manifest) -> list[str]:
    try:
        _check_file(directory, manifest, REJECTS_NAME)
    except ShardError as error:
        return [_without_folder(error, directory)]
    with (directory / REJECTS_NAME).open("rb") as file:
        lines = sum(1 for _ in file)
    if lines == manifest.ledger.rejected:
        return []
    return [f"{REJECTS_NAME}: {lines:,} rows, {manifest.ledger.rejected:,} are {REJECTED}"]


def _check_repairs(directory: Place, manifest: Manifest) -> list[str]:
    if REPAIRS_NAME not in manifest.files:
        return []
    try:
        _check_file(directory, manifest, REPAIRS_NAME)
    except ShardError as error:
        return [_without_folder(error, directory)]
    with (directory / REPAIRS_NAME).open("rb") as file:
        lines = sum(1 for _ in file)
    if lines <= manifest.ledger.repaired:
        return []
    return [f"{REPAIRS_NAME}: {lines:,} rows, {manifest.ledger.repaired:,} are {REPAIRED}"]


def _without_folder(error: ShardError, directory: Place) -> str:
    return str(error).removeprefix(f"{directory}/")
