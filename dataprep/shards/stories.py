"""Tell the story of one input row: its ledger entry, why it was rejected, and the sample that it became."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from dataprep.errors import ConfigError, ShardFormatError
from dataprep.shards.format import DUPLICATE, REJECTED, REJECTS_NAME, REPAIRED, REPAIRS_NAME, SAMPLE_OUTCOMES
from dataprep.shards.ledger import LedgerEntry, entries_of, open_ledger
from dataprep.shards.manifest import Manifest
from dataprep.shards.reader import Shards, open_shards
from dataprep.shards.repairs import Repair, read_repairs
from dataprep.shards.samples import Media, RejectFinding, Sample, SampleImage
from dataprep.shards.storage import Place, to_place


@dataclass(frozen=True, slots=True)
class RowStory:
    """What became of one row.

    Attributes:
        entry: Its line of the ledger.
        findings: Why it was rejected, or what a repair did; empty for other outcomes.
        text: The rejected row as the file has it, undecodable bytes replaced; empty for other outcomes.
        shard_file: The samples file that has its sample; None where there is none.
        sample: The sample; None where there is none.
        media: Each image or frame of the sample with the media row behind it.
        kept: For a duplicate the entry of the equal row that became a sample, if there is one.
        repair: What was done to a repaired row; None for other outcomes.
    """

    entry: LedgerEntry
    findings: tuple[RejectFinding, ...] = ()
    text: str = ""
    shard_file: str | None = None
    sample: Sample | None = None
    media: tuple[tuple[SampleImage, Media], ...] = ()
    kept: LedgerEntry | None = None
    repair: Repair | None = None


def why(path: str | Place, place: str) -> tuple[RowStory, ...]:
    """Tell what became of a row.

    Args:
        path: A shard directory.
        place: ``FILE:LINE``; the file as the manifest names it, as a path on this disk, or by the end of its path.

    Returns:
        One story for each row that begins on that line: more than one only where a JSON array has several on a line.

    Raises:
        ConfigError: If there is no such file or row.
        ShardError: If the shards cannot be read or are damaged.
    """
    directory = to_place(path)
    shards = open_shards(directory)
    manifest = shards.manifest
    name, _, digits = place.rpartition(":")
    if not name or not digits.isascii() or not digits.isdigit():
        raise ConfigError(f"{place!r} is not FILE:LINE, such as train.jsonl:12")
    source, line = _find_source(manifest, name), int(digits)
    found = _find_entries(directory, manifest, source, line)
    if not found:
        raise ConfigError(f"no row of {source} begins on line {line}; {_nearest(directory, manifest, source, line)}")
    return tuple(_tell(shards, entry, number) for entry, number in found)


def _find_source(manifest: Manifest, name: str) -> str:
    """Return the one source that a name means."""
    names = [source.path for source in manifest.sources]
    if name in names:
        return name
    whole = Path(name).resolve()
    matching = [n for n in names if (Path(manifest.source_root) / n).resolve() == whole]
    matching = matching or [n for n in names if f"/{n}".endswith(f"/{name}")]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise ConfigError(
            f"{name!r} is the end of {len(matching)} data files: {_list(matching)}; name more of the path"
        )
    raise ConfigError(f"no data file {name!r}; the shards were made of {_list(names)}")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _find_entries(directory: Place, manifest: Manifest, source: str, line: int) -> list[tuple[LedgerEntry, int]]:
    """Return the entries of a line, each with the number of rejected rows before it."""
    found = []
    first = rejected = 0
    for batch in open_ledger(directory, manifest).checked_batches():
        is_rejected = pc.equal(batch.column("outcome"), REJECTED)
        here = pc.and_(pc.equal(batch.column("source_file"), source), pc.equal(batch.column("source_line"), line))
        if pc.any(here).as_py():
            numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
            before = list(accumulate(is_rejected.to_pylist(), initial=rejected))
            chosen = entries_of(batch.append_column("number", numbers).filter(here))
            found += [(entry, before[entry.number - first]) for entry in chosen]
        first += batch.num_rows
        rejected += pc.sum(is_rejected).as_py() or 0
    return found


def _nearest(directory: Place, manifest: Manifest, source: str, line: int) -> str:
    """Say which rows of a source are nearest to a line that has none."""
    before, after = 0, 0
    for batch in open_ledger(directory, manifest).batches():
        lines = batch.column("source_line").filter(pc.equal(batch.column("source_file"), source))
        before = max([before, *lines.filter(pc.less(lines, line)).to_pylist()])
        later = [
            number for number in lines.filter(pc.greater(lines, line)).to_pylist() if number < (after or number + 1)
        ]
        after = min(later, default=after)
    nearest = " and ".join(str(number) for number in (before, after) if number)
    return f"the nearest rows begin on line {nearest}" if nearest else "the file has no rows"


def _tell(shards: Shards, entry: LedgerEntry, rejects_before: int) -> RowStory:
    if entry.outcome == REJECTED:
        findings, text = _read_reject(shards.directory, entry, rejects_before)
        return RowStory(entry, findings, text)
    if entry.outcome in SAMPLE_OUTCOMES:
        return _tell_sample(shards, entry)
    return RowStory(entry, kept=_find_kept(shards, entry) if entry.outcome == DUPLICATE else None)


def _tell_sample(shards: Shards, entry: LedgerEntry) -> RowStory:
    listed = shards.manifest.sample_shards
    if not (0 <= entry.shard < len(listed) and 0 <= entry.row_in_shard < listed[entry.shard].rows):
        raise ShardFormatError(
            f"{shards.directory}: the ledger puts {entry.source_file}:{entry.source_line} in row {entry.row_in_shard} "
            f"of shard {entry.shard}, which does not exist; run 'dataprep verify'"
        )
    sample = shards[sum(shard.rows for shard in listed[: entry.shard]) + entry.row_in_shard]
    if sample.row_hash != entry.row_hash:
        raise ShardFormatError(
            f"{shards.directory}: row {entry.row_in_shard} of {listed[entry.shard].file} is not the sample of "
            f"{entry.source_file}:{entry.source_line}, as the ledger says; run 'dataprep verify'"
        )
    media = tuple((image, shards.media(image.media)) for image in sample.images)
    repair = _find_repair(shards, entry)
    findings = () if repair is None else (RejectFinding(repair.code, "", repair.message),)
    file = listed[entry.shard].file
    return RowStory(entry, findings, shard_file=file, sample=sample, media=media, repair=repair)


def _find_repair(shards: Shards, entry: LedgerEntry) -> Repair | None:
    if entry.outcome != REPAIRED or REPAIRS_NAME not in shards.manifest.files:
        return None
    place = (entry.source_file, entry.source_line, entry.row_hash.hex())
    repairs = read_repairs(shards.directory / REPAIRS_NAME)
    return next((r for r in repairs if (r.source_file, r.source_line, r.row_hash) == place), None)


def _find_kept(shards: Shards, duplicate: LedgerEntry) -> LedgerEntry | None:
    """Return the first equal row that became a sample, in the same folder if there is one: there its media are, too."""
    found: list[LedgerEntry] = []
    first = 0
    for batch in open_ledger(shards.directory, shards.manifest).checked_batches():
        same = pc.equal(batch.column("row_hash"), pa.scalar(duplicate.row_hash, batch.schema.field("row_hash").type))
        kept = pc.and_(same, pc.is_in(batch.column("outcome"), pa.array(SAMPLE_OUTCOMES)))
        if pc.any(kept).as_py():
            numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
            found += entries_of(batch.append_column("number", numbers).filter(kept))
        first += batch.num_rows
    folder = PurePosixPath(duplicate.source_file).parent
    beside = [entry for entry in found if PurePosixPath(entry.source_file).parent == folder]
    return next(iter(beside or found), None)


def _read_reject(directory: Place, entry: LedgerEntry, number: int) -> tuple[tuple[RejectFinding, ...], str]:
    """Return findings and text of the rejected row with this number among all rejected rows."""
    line = next(_lines_from(directory / REJECTS_NAME, number), b"")
    try:
        row = json.loads(line)
        if (row["source_file"], row["source_line"], bytes.fromhex(row["row_hash"])) != (
            entry.source_file, entry.source_line, entry.row_hash,
        ):  # fmt: skip
            raise ValueError("another row")
        findings = tuple(RejectFinding(f["code"], f["field"], f["message"]) for f in row["findings"])
        return findings, str(row["text"])
    except (ValueError, KeyError, TypeError) as error:
        raise ShardFormatError(
            f"{directory}: line {number + 1} of {REJECTS_NAME} is not the rejected row "
            f"{entry.source_file}:{entry.source_line}, as the ledger says; run 'dataprep verify'"
        ) from error


def _lines_from(path: Place, number: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        for index, line in enumerate(file):
            if index >= number:
                yield line
