"""Check that every input row is accounted for: ledger against sources, samples, rejects and the manifest's totals."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dataprep.shards.arrow_file import ArrowTable
from dataprep.shards.format import (
    LEDGER_NAME,
    LEDGER_SCHEMA,
    MANIFEST_NAME,
    OUTCOMES,
    REJECTED,
    REJECTS_NAME,
    SAMPLE_OUTCOMES,
)
from dataprep.shards.manifest import LedgerTotals, Manifest
from dataprep.shards.storage import Place
from dataprep.shards.verify_tables import PROVENANCE, SampleFacts

_REJECT_MEMBERS = {"source_file", "source_line", "row_hash", "findings", "text"}


def read_ledger(directory: Place, manifest: Manifest) -> pa.Table:
    """Read the ledger, every value checked.

    Raises:
        ShardError: When the file is damaged.
    """
    table = ArrowTable(directory / LEDGER_NAME, LEDGER_SCHEMA, manifest.ledger.rows_in)
    return pa.Table.from_batches(list(table.checked_batches()), LEDGER_SCHEMA)


def check_ledger(ledger: pa.Table, manifest: Manifest, facts: dict[int, SampleFacts]) -> list[str]:
    """Check the ledger against the manifest and the samples.

    Args:
        ledger: The ledger.
        manifest: The manifest.
        facts: What the samples shards hold, by shard number, as far as they could be read.

    Returns:
        The problems.
    """
    problems = _check_sources(ledger, manifest)
    counted = _totals(ledger)
    if counted != manifest.ledger:
        problems.append(f"{LEDGER_NAME}: its rows give {counted}, the manifest says {manifest.ledger}")
    return problems + _check_places(ledger, manifest, facts)


def check_totals(manifest: Manifest) -> list[str]:
    """Check that the manifest's own numbers of rows add up; returns the problems."""
    ledger = manifest.ledger
    problems = []
    outcomes = ledger.converted + ledger.repaired + ledger.rejected + ledger.duplicate + ledger.unsampled
    if outcomes != ledger.rows_in:
        problems.append(f"the outcomes add up to {outcomes:,} rows, rows_in is {ledger.rows_in:,}")
    sources = sum(source.rows for source in manifest.sources)
    if sources != ledger.rows_in:
        problems.append(f"the sources have {sources:,} rows, rows_in is {ledger.rows_in:,}")
    samples = sum(shard.rows for shard in manifest.sample_shards)
    if samples != ledger.converted + ledger.repaired:
        kept = ledger.converted + ledger.repaired
        problems.append(f"the samples shards have {samples:,} rows, converted and repaired are {kept:,}")
    return [f"{MANIFEST_NAME}: {problem}" for problem in problems]


def _totals(ledger: pa.Table) -> LedgerTotals:
    outcomes = Counter(ledger.column("outcome").to_pylist())
    codes = ledger.column("codes").combine_chunks().flatten()
    pairs = pc.value_counts(codes).to_pylist()
    return LedgerTotals(
        rows_in=ledger.num_rows,
        converted=outcomes["converted"],
        repaired=outcomes["repaired"],
        rejected=outcomes["rejected"],
        duplicate=outcomes["duplicate"],
        unsampled=outcomes["unsampled"],
        by_code={pair["values"]: pair["counts"] for pair in pairs},
    )


def _check_sources(ledger: pa.Table, manifest: Manifest) -> list[str]:
    counted = Counter(ledger.column("source_file").to_pylist())
    expected = {source.path: source.rows for source in manifest.sources}
    problems = [
        f"{counted[name]:,} rows of {name!r}, the manifest says {expected.get(name, 0):,}"
        for name in sorted(set(counted) | set(expected))
        if counted[name] != expected.get(name, 0)
    ]
    unknown = sorted(set(ledger.column("outcome").to_pylist()) - set(OUTCOMES))
    if unknown:
        problems.append(f"unknown outcome {unknown[0]!r}")
    return [f"{LEDGER_NAME}: {problem}" for problem in problems]


def _check_places(ledger: pa.Table, manifest: Manifest, facts: dict[int, SampleFacts]) -> list[str]:
    """Check that rows with a sample and samples stand one to one, and that file, line, hash and split agree."""
    shard, row = (ledger.column(name).to_numpy() for name in ("shard", "row_in_shard"))
    is_sample = pc.is_in(ledger.column("outcome"), pa.array(SAMPLE_OUTCOMES)).to_numpy()
    problems = []
    unplaced = ~is_sample & ((shard != -1) | (row != -1))
    outside = is_sample & ((shard < 0) | (shard >= len(manifest.sample_shards)))
    for rule, broken in (("a row without a sample has a place", unplaced), ("a sample is in no shard", outside)):
        if broken.any():
            problems.append(f"{LEDGER_NAME}: {rule}, first in row {int(np.flatnonzero(broken)[0])}")
    for number, fact in facts.items():
        mine = np.flatnonzero(is_sample & (shard == number))
        problems += _check_shard_places(ledger, mine, row, fact, manifest.sample_shards[number].file)
    return problems


def _check_shard_places(
    ledger: pa.Table, mine: NDArray[np.int64], row: NDArray[Any], fact: SampleFacts, file: str
) -> list[str]:
    mine = mine[np.argsort(row[mine], kind="stable")]
    if not np.array_equal(row[mine], np.arange(len(fact.lengths))):
        return [f"{LEDGER_NAME}: its rows do not name each of the {len(fact.lengths):,} samples of {file} once"]
    named = ledger.select(PROVENANCE).take(pa.array(mine))
    problems = []
    for name in PROVENANCE:
        differs = pc.not_equal(named.column(name), fact.provenance.column(name)).to_numpy()
        if differs.any():
            where = int(mine[np.flatnonzero(differs)[0]])
            problems.append(f"{LEDGER_NAME}: {name} differs from the sample in {file}, first in row {where}")
    return problems


def check_rejects(directory: Place, manifest: Manifest, ledger: pa.Table | None) -> list[str]:
    """Check the rejects, against the rejected rows of the ledger in its order where there is one; returns problems."""
    problems = []
    seen = []
    for number, line in enumerate((directory / REJECTS_NAME).read_bytes().splitlines(), start=1):
        try:
            seen.append(_reject_key(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            problems.append(f"{REJECTS_NAME}: line {number} is not a rejected row ({error})")
    if len(seen) != manifest.ledger.rejected and not problems:
        problems.append(f"{REJECTS_NAME}: {len(seen):,} rows, the manifest says {manifest.ledger.rejected:,}")
    if problems or ledger is None:
        return problems
    rejected = ledger.filter(pc.equal(ledger.column("outcome"), REJECTED))
    columns = [rejected.column(name).to_pylist() for name in ("source_file", "source_line", "row_hash")]
    for number, (mine, theirs) in enumerate(zip(seen, zip(*columns, strict=True), strict=False), start=1):
        if mine != theirs:
            return [f"{REJECTS_NAME}: line {number} is {mine[0]}:{mine[1]}, the ledger says {theirs[0]}:{theirs[1]}"]
    return []


def _reject_key(row: dict[str, Any]) -> tuple[str, int, bytes]:
    missing = _REJECT_MEMBERS - set(row)
    if missing or not row["findings"]:
        raise KeyError(", ".join(sorted(missing)) or "findings")
    return row["source_file"], row["source_line"], bytes.fromhex(row["row_hash"])
