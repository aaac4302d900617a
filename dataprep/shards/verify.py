"""Check a shard directory against itself, completely: files -> samples -> media -> ledger -> rejects.

Every problem is one sentence that starts with a file's name. A file whose size or hash is wrong is reported and
not read further, since any bit of it may be the changed one; what does not need it is still checked. Columns are
checked as whole arrays, batch by batch, so the cost is close to that of hashing. Linked media are not opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import jsonschema
import numpy as np
import pyarrow.compute as pc

from dataprep.errors import ShardError
from dataprep.shards.arrow_file import check_hash, check_size
from dataprep.shards.format import LEDGER_NAME, MANIFEST_NAME, REJECTS_NAME, REPAIRED, REPAIRS_NAME, SHARD_NAME
from dataprep.shards.manifest import FileEntry, Manifest, SplitTotals, length_stats, pretty_json, read_manifest_text
from dataprep.shards.repairs import SHORTENED, check_repairs
from dataprep.shards.storage import Place, to_place
from dataprep.shards.verify_ledger import check_ledger, check_rejects, check_totals, read_ledger
from dataprep.shards.verify_tables import SampleFacts, check_media, check_samples
from schemas import load_schema


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyReport:
    """What a check of a shard directory found.

    Attributes:
        files_checked: Files read, the manifest included.
        bytes_checked: Their size.
        rows_checked: Samples whose content was checked.
        problems: One sentence each, starting with the name of the file; empty for sound shards.
    """

    files_checked: int
    bytes_checked: int
    rows_checked: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(path: str | Place) -> VerifyReport:
    """Check every file, total, reference and invariant of a shard directory.

    Args:
        path: The directory.

    Returns:
        The report; a damaged or incomplete directory is a finding in it, not an error.
    """
    directory = to_place(path)
    try:
        text = read_manifest_text(directory)
        manifest = Manifest.from_json(text)
    except ShardError as error:
        return VerifyReport(files_checked=0, bytes_checked=0, rows_checked=0, problems=(str(error),))
    files = manifest.all_files()
    problems = [*_check_manifest(manifest, text), *_stray_files(directory, files)]
    sound = set()
    for name, entry in files.items():
        try:
            check_size(directory / name, entry.bytes)
            check_hash(directory / name, entry.sha256)
            sound.add(name)
        except ShardError as error:
            problems.append(str(error).removeprefix(f"{directory}/"))
    facts, found = check_samples(directory, manifest, sound)
    problems += found
    problems += check_media(directory, manifest, sound)
    problems += _check_lengths(manifest, facts)
    problems += _check_accounts(directory, manifest, sound, facts)
    return VerifyReport(
        files_checked=1 + sum((directory / name).is_file() for name in files),
        bytes_checked=len(text.encode("utf-8")) + sum(entry.bytes for entry in files.values()),
        rows_checked=sum(len(fact.lengths) for fact in facts.values()),
        problems=tuple(problems),
    )


def _check_manifest(manifest: Manifest, text: str) -> list[str]:
    """Check the manifest against its schema, its own sums, and its one allowed spelling."""
    members = json.loads(text)
    errors = jsonschema.Draft202012Validator(load_schema("manifest")).iter_errors(members)
    problems = sorted(f"{error.json_path.removeprefix('$.')}: {error.message}" for error in errors)
    if text != pretty_json(members):
        problems.append("the JSON is not written the way dataprep writes it: the file was edited or damaged")
    if manifest.splits != (expected := _split_totals(manifest)):
        problems.append(f"splits are {manifest.splits}, the shards add up to {expected}")
    for what, names in (
        ("source", [source.path for source in manifest.sources]),
        ("shard", [name for name, _ in manifest.shard_rows()]),
    ):
        if len(set(names)) != len(names):
            problems.append(f"a {what} is listed twice")
    return [f"{MANIFEST_NAME}: {problem}" for problem in problems]


def _split_totals(manifest: Manifest) -> dict[str, SplitTotals]:
    totals: dict[str, SplitTotals] = {}
    for shard in manifest.sample_shards:
        old = totals.get(shard.split, SplitTotals(rows=0, tokens=0, trained_tokens=0, tiles=0, shards=0))
        totals[shard.split] = SplitTotals(
            rows=old.rows + shard.rows,
            tokens=old.tokens + shard.tokens,
            trained_tokens=old.trained_tokens + shard.trained_tokens,
            tiles=old.tiles + shard.tiles,
            shards=old.shards + 1,
        )
    # A split that lost all its rows is listed with zeros and has no shard.
    empty = SplitTotals(rows=0, tokens=0, trained_tokens=0, tiles=0, shards=0)
    return totals | {name: empty for name in manifest.splits if name not in totals}


def _stray_files(directory: Place, files: dict[str, FileEntry]) -> list[str]:
    names = sorted(entry.name for entry in directory.iterdir())
    return [
        f"{name}: looks like a shard, but the manifest does not list it; remove it or convert again"
        for name in names
        if (SHARD_NAME.fullmatch(name) or name == REPAIRS_NAME) and name not in files
    ]


def _check_accounts(directory: Place, manifest: Manifest, sound: set[str], facts: dict[int, SampleFacts]) -> list[str]:
    """Check that every input row is accounted for, as far as the files are sound."""
    problems = check_totals(manifest)
    ledger = None
    if LEDGER_NAME in sound:
        try:
            ledger = read_ledger(directory, manifest)
            problems += check_ledger(ledger, manifest, facts)
        except ShardError as error:
            problems.append(str(error).removeprefix(f"{directory}/"))
    if REJECTS_NAME in sound:
        problems += check_rejects(directory, manifest, ledger)
    if REPAIRS_NAME in sound and ledger is not None:
        repaired = ledger.filter(pc.equal(ledger.column("outcome"), REPAIRED))
        rows = repaired.select(["source_file", "source_line", "row_hash", "codes"]).to_pylist()
        shortened = [row for row in rows if SHORTENED in row["codes"]]
        problems += check_repairs(directory, [(r["source_file"], r["source_line"], r["row_hash"]) for r in shortened])
    return problems


def _check_lengths(manifest: Manifest, facts: dict[int, SampleFacts]) -> list[str]:
    if len(facts) < len(manifest.sample_shards):
        return []
    expected = length_stats(np.concatenate([np.zeros(0, dtype=np.int64), *(fact.lengths for fact in facts.values())]))
    if manifest.lengths == expected:
        return []
    return [f"{MANIFEST_NAME}: lengths are {manifest.lengths}, the samples give {expected}"]
