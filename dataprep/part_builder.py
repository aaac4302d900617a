"""What becomes of the rows of one chunk: samples, ledger lines, rejects and repairs, written as one part."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from dataprep.errors import MediaError
from dataprep.findings import Finding, Severity
from dataprep.media.index import MediaFacts
from dataprep.media_placing import MediaPlacer
from dataprep.part_tables import PART_SCHEMA, Converted, samples_table
from dataprep.parts import Chunk, Part, SplitCounts
from dataprep.planner import Planner, hash_checked
from dataprep.row_hashes import hash_raw
from dataprep.rules.base import CheckedRow, Level, Shortening
from dataprep.rules.duplicates.row_bridges_splits import RowBridgesSplits
from dataprep.rules.table import RULES
from dataprep.shards.flat import write_at_once
from dataprep.shards.format import CONVERTED, LEDGER_SCHEMA, MEDIA_BATCH_ROWS, MEDIA_SCHEMA, REPAIRED, UNSAMPLED
from dataprep.shards.repairs import SHORTENED, Repair, write_repairs
from dataprep.shards.samples import LedgerRow, Reject, RejectFinding
from dataprep.shards.writer import ShardFile, ledger_batch, media_batch, write_arrow, write_rejects
from dataprep.sources import RawRow
from dataprep.split_sides import BRIDGE
from dataprep.taking_over import Taken, TakenSample, join_samples


class PartBuilder:
    """Collects what becomes of the rows of one chunk."""

    def __init__(self, planner: Planner, chunk: Chunk, name: str) -> None:
        self.planner = planner
        self.chunk = chunk
        self.name = name
        self.media = MediaPlacer(planner.config, planner.recipe.media_base, planner.media_files)
        self.converted: list[Converted | TakenSample] = []
        self.num_encoded = 0
        self.ledger: list[LedgerRow] = []
        self.rejects: list[Reject] = []
        self.repairs: list[Repair] = []
        self.num_repaired = self.num_duplicates = 0
        self.by_code: dict[str, int] = {}
        self.examples: dict[str, tuple[int, str]] = {}
        self.media_paths: dict[str, None] = {}
        self.lacks_media = False
        self.files: dict[str, str] = {}

    def note_media(self, *media: MediaFacts) -> None:
        """Remember the files that what becomes of a row depends on."""
        for facts in media:
            self.lacks_media |= facts.error is not None
            if facts.file is not None:
                self.media_paths[facts.file] = None

    def add(self, row: CheckedRow, repairs: tuple[str, ...], split: str) -> None:
        """Take a checked row in: convert it into a split, or reject it.

        Args:
            row: The row, as mended if it was.
            repairs: Codes of the rules whose fixes were applied to it.
            split: Its split, should it be converted.
        """
        row_hash = hash_checked(row)
        if repairs:
            self.note_media(*row.images, *row.videos)
        self.num_encoded += row.num_tokens is not None
        numbers: list[int] = []
        split = row.record.split or split if row.record is not None else split
        if BRIDGE in split and not row.has_errors:
            _refuse(row, _bridging(row, split))
        if not row.has_errors:
            try:
                numbers = self._place_media(row)
            except MediaError as error:
                _refuse(row, _undecodable(row, error))
        codes = tuple(dict.fromkeys([*repairs, *(finding.code for finding in row.findings)]))
        self._count(codes)
        if row.has_errors:
            self._reject(row, row_hash, codes)
            return
        line = row.raw.location.line
        outcome = REPAIRED if repairs or row.shortening is not None else CONVERTED
        self.num_repaired += outcome == REPAIRED
        self.ledger.append(LedgerRow(self.chunk.source, line, row_hash, outcome, codes, split))
        if row.shortening is not None:
            self._repair(row, row_hash, row.shortening)
        self.converted.append(Converted(row, row_hash, numbers, split))

    def _repair(self, row: CheckedRow, row_hash: bytes, done: Shortening) -> None:
        message = next(finding.message for finding in row.findings if finding.code == SHORTENED)
        line, digest = row.raw.location.line, row_hash.hex()
        self.repairs.append(
            Repair(self.chunk.source, line, digest, SHORTENED, done.policy, done.before, done.after, message)
        )

    def take_over(self, taken: Taken, split: str) -> None:
        """Take a row in whose sample is known from older shards."""
        if BRIDGE in split:
            self._check_anew(taken, split)
            return
        row = taken.row
        if row is not None and row.record is not None:
            split = row.record.split or split
        try:
            if row is not None:
                self.note_media(*row.images, *row.videos)
                numbers = self._place_media(row)
            else:
                self.note_media(*taken.images)
                numbers = list(map(self.media.place_image, taken.images))
        except MediaError:  # a video whose frames cannot be read any more: what is found is told as ever
            self._check_anew(taken, split)
            return
        self._count(taken.codes)
        line = taken.raw.location.line
        self.ledger.append(LedgerRow(self.chunk.source, line, taken.row_hash, "converted", taken.codes, split))
        self.converted.append(TakenSample(taken, numbers, split))

    def _check_anew(self, taken: Taken, split: str) -> None:
        checker = self.planner.checkers.for_file(taken.raw.location.path)
        self.add(checker.check(taken.raw), (), split)

    def leave_out(self, raw: RawRow) -> None:
        """Account for a row that was not drawn."""
        self.ledger.append(LedgerRow(self.chunk.source, raw.location.line, hash_raw(raw), UNSAMPLED, ()))

    def _count(self, codes: tuple[str, ...]) -> None:
        for code in codes:
            self.by_code[code] = self.by_code.get(code, 0) + 1

    def _reject(self, row: CheckedRow, row_hash: bytes, codes: tuple[str, ...]) -> None:
        line = row.raw.location.line
        self.ledger.append(LedgerRow(self.chunk.source, line, row_hash, "rejected", codes))
        findings = tuple(RejectFinding(f.code, f.field, f.message) for f in row.findings)
        self.rejects.append(Reject(self.chunk.source, line, row_hash, findings, row.raw.text))
        for finding in {f.code: f for f in reversed(row.findings) if f.severity is Severity.ERROR}.values():
            count, text = self.examples.get(finding.code, (0, f"{finding.location}: {finding.message}"))
            self.examples[finding.code] = (count + 1, text)

    def _place_media(self, row: CheckedRow) -> list[int]:
        """Return the media number of each image and frame, in slot order."""
        return self.media.place(row)

    def write(self) -> Part:
        """Write the part's files and return what there is to know of it."""
        stem = self.planner.recipe.folder / self.name
        samples, splits = self._join_samples()
        rows = self.media.table.rows
        written = [
            write_at_once(stem.with_suffix(".samples"), PART_SCHEMA, samples),
            self._write_media(stem.with_suffix(".media")),
            write_at_once(stem.with_suffix(".ledger"), LEDGER_SCHEMA, [ledger_batch(self.ledger)]),
            write_rejects(stem.with_suffix(".rejects"), self.rejects, is_durable=False),
        ]
        if self.repairs:
            written.append(write_repairs(stem.with_suffix(".repairs"), self.repairs, is_durable=False))
        self.files = {entry.file: entry.sha256 for entry in written}
        return Part(
            name=self.name,
            source=self.chunk.source,
            num_rows=len(self.chunk.rows),
            num_rejected=len(self.rejects),
            by_code=self.by_code,
            examples=self.examples,
            splits=splits,
            media_keys=[(kind, key.hex()) for kind, key in self.media.table.numbers],
            media_bytes=[(entry.size or 0) if entry.mtime_ns is None else 0 for entry in rows],
            num_repaired=self.num_repaired,
            num_duplicates=self.num_duplicates,
            num_shortened=len(self.repairs),
            num_taken=sum(isinstance(entry, TakenSample) for entry in self.converted),
            num_encoded=self.num_encoded,
            num_unsampled=sum(entry.outcome == UNSAMPLED for entry in self.ledger),
        )

    def _join_samples(self) -> tuple[list[pa.RecordBatch], dict[str, SplitCounts]]:
        if not self.converted:
            return [], {}
        encoder, taker, source = self.planner.encoder, self.planner.taker, self.chunk.source
        fresh = [entry for entry in self.converted if isinstance(entry, Converted)]
        batch, splits = samples_table(fresh, encoder, source) if fresh else (None, {})
        if taker is None or len(fresh) == len(self.converted):
            return [batch], splits
        batch, splits = join_samples(self.converted, batch, old=taker.old, source=source)
        return [batch], splits

    def _write_media(self, path: Path) -> ShardFile:
        rows = self.media.table.rows
        if all(entry.bytes is None for entry in rows):
            return write_at_once(path, MEDIA_SCHEMA, [media_batch(rows)])
        batches = (media_batch(rows[i : i + MEDIA_BATCH_ROWS]) for i in range(0, len(rows), MEDIA_BATCH_ROWS))
        return write_arrow(path, MEDIA_SCHEMA, batches, is_durable=False)  # frames may be many: one batch at a time


def _refuse(row: CheckedRow, finding: Finding) -> None:
    """Put a finding first; like those of other rejected rows, the tokens of this one do not count any more."""
    row.findings[:] = [finding, *(f for f in row.findings if RULES[f.code].level is not Level.TOKENS)]


def _bridging(row: CheckedRow, splits: str) -> Finding:
    """Return the finding for a row whose media stand in several of the splits that were drawn."""
    problem = RowBridgesSplits().describe(splits.split(BRIDGE))
    return Finding(
        code="D507",
        name=RowBridgesSplits.name,
        severity=Severity.ERROR,
        location=row.raw.location,
        field=problem.field,
        message=problem.message,
        help=problem.help,
    )


def _undecodable(row: CheckedRow, error: MediaError) -> Finding:
    """Return the finding for a video whose container is fine, but whose frames are not."""
    return Finding(
        code="V352",
        name=RULES["V352"].name,
        severity=Severity.ERROR,
        location=row.raw.location,
        field="videos",
        message=str(error),
        help="play the file; convert it with ffmpeg or leave the row out",
    )
