"""The plan stage of a conversion: check, encode and hash one chunk of rows, and keep the result as a part.

A part is a pure function of its rows, the media behind them and the options; see :mod:`dataprep.parts`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from dataprep import __version__
from dataprep.config import ConvertConfig
from dataprep.encode import Encoder
from dataprep.errors import MediaError, SourceError
from dataprep.findings import Finding, Severity
from dataprep.fixing import mend_checked, safe_fixes
from dataprep.media.index import MediaFacts
from dataprep.media.isolation import decode_frames
from dataprep.media.video import PYAV, frame_to_png
from dataprep.part_tables import Converted, samples_table
from dataprep.parts import Chunk, Part, SplitCounts, load_part, store_part
from dataprep.plain.acceptance import without_collections
from dataprep.plain.reader import PlainReader, make_reader
from dataprep.records import hash_row, hash_text
from dataprep.rules.base import CheckedRow
from dataprep.rules.runner import FOR_CONVERSION, CheckerRecipe, CheckerSet
from dataprep.rules.table import RULES
from dataprep.rules.videos.video_read_by_second_reader import second_reader_message
from dataprep.shards.flat import write_at_once
from dataprep.shards.format import (
    CONVERTED,
    LEDGER_SCHEMA,
    MEDIA_BATCH_ROWS,
    MEDIA_SCHEMA,
    REPAIRED,
    SAMPLES_SCHEMA,
    content_hash,
)
from dataprep.shards.samples import LedgerRow, Media, Reject, RejectFinding
from dataprep.shards.writer import ShardFile, ledger_batch, media_batch, write_arrow, write_rejects
from dataprep.sources import RawRow

_MOST_FILES = 50_000

MediaKey = tuple[str, bytes]
"""What makes two media the same: ``content`` and a hash, or ``path`` and a path."""


@dataclass(frozen=True, slots=True)
class PlanRecipe:
    """Makes a planner; picklable.

    Attributes:
        config: The options.
        folder: Where parts are kept.
        media_base: Folder that stored media paths are relative to.
    """

    config: ConvertConfig
    folder: Path
    media_base: Path

    def __call__(self) -> Planner:
        """Load the tokenizer and make a planner."""
        return Planner(self, CheckerRecipe(self.config, FOR_CONVERSION)())


class Planner:
    """Plans chunks; one per worker process."""

    def __init__(self, recipe: PlanRecipe, checkers: CheckerSet) -> None:
        assert checkers.encoder is not None
        self.recipe = recipe
        self.config = recipe.config
        self.checkers = checkers
        self.encoder: Encoder = checkers.encoder
        self.media_files: dict[str, tuple[MediaKey, Media]] = {}
        self._readers: dict[str, PlainReader | None] = {}

    def check(self, rows: Sequence[RawRow]) -> list[CheckedRow]:
        """Check rows of one data file: those that are plain fast, the others by the rules."""
        path = rows[0].location.path
        checker = self.checkers.for_file(path)
        if path not in self._readers:
            self._readers[path] = make_reader(path, checker)
        reader = self._readers[path]
        return checker.check_all(rows, () if reader is None else reader.read(rows))

    def repair(self, row: CheckedRow) -> tuple[CheckedRow, tuple[str, ...]]:
        """Return a row with its safe fixes applied, and the codes of the rules that gave them; no codes, no change.

        What is not sound after that stays as it was found.
        """
        if not safe_fixes(row):
            return row, ()
        checker = self.checkers.for_file(row.raw.location.path)
        mended, applied = mend_checked(row, checker, safe_fixes)
        if mended is None or not applied or mended.has_errors:
            return row, ()
        mended.row_hash = hash_checked(row)  # of what the data file says
        mended.raw = row.raw
        return mended, tuple(dict.fromkeys(fix.code for fix in applied))

    def part_key(self, chunk: Chunk) -> str:
        """Return what a part of this chunk must have been made from to be used again."""
        # What changes nothing in a part: how the work is done, and what becomes of it.
        plain = replace(
            self.config, jobs=1, on_bad="error", max_bad_ratio=0.0, val=(), cache=None, no_cache=False, media_timeout=60
        )
        plain = replace(plain, drop_duplicates=False)
        options = asdict(plain)
        facts = [__version__, self.encoder.tokenizer.fingerprint, str(self.encoder.settings.tiles), str(options)]
        digest = hashlib.sha256("\0".join([*facts, chunk.source, *chunk.splits]).encode())
        for row in chunk.rows:
            digest.update(f"\0{row.location.line}\0{row.starts_with_bom}\0".encode() + row.text)
        return digest.hexdigest()


def hash_checked(row: CheckedRow) -> bytes:
    """Return the hash of a row's content, of its text where it could not be parsed."""
    return row.row_hash or (hash_row(row.value) if row.value is not None else hash_text(row.raw.text))


def read_media_file(path: str | Path) -> bytes:
    """Return a media file's bytes.

    Raises:
        SourceError: If it cannot be read any more, though its header could be.
    """
    with _reading(path):
        return Path(path).read_bytes()


def read_media_into(path: str, space: memoryview) -> bool:
    """Fill a space with a media file's bytes, and return whether it is as large as the file.

    Raises:
        SourceError: If it cannot be read any more.
    """
    with _reading(path), Path(path).open("rb", buffering=0) as file:
        return file.readinto(space) == len(space) and not file.read(1)


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read any more ({error.strerror}); leave media alone during a run"
        ) from error


def plan_chunk(planner: Planner, chunk: Chunk) -> Part:
    """Plan one chunk, or take over the part that an earlier run made of the same rows."""
    name = f"part-{chunk.number:06d}"
    key = planner.part_key(chunk)
    summary = planner.recipe.folder / f"{name}.json"
    stored = load_part(summary, key)
    if stored is not None:
        return stored
    builder = PartBuilder(planner, chunk, name)
    with without_collections():
        checked = planner.check(chunk.rows)
        for row, split in zip(checked, chunk.splits, strict=True):
            builder.note_media(row)
            builder.add(*(planner.repair(row) if planner.config.fix else (row, ())), split)
        part = builder.write()
    planner.checkers.remember()
    if not builder.lacks_media:  # media that could not be used may be mended before the next run
        store_part(summary, part, key=key, media_paths=builder.media_paths, files=builder.files)
    return part


@dataclass(slots=True)
class _MediaTable:
    """The distinct media of a part, in order of first use."""

    numbers: dict[MediaKey, int] = field(default_factory=dict)
    rows: list[Media] = field(default_factory=list)

    def add(self, key: MediaKey, media: Media) -> int:
        number = self.numbers.setdefault(key, len(self.rows))
        if number == len(self.rows):
            self.rows.append(media)
        return number


class PartBuilder:
    """Collects what becomes of the rows of one chunk."""

    def __init__(self, planner: Planner, chunk: Chunk, name: str) -> None:
        self.planner = planner
        self.chunk = chunk
        self.name = name
        self.media = _MediaTable()
        self.converted: list[Converted] = []
        self.ledger: list[LedgerRow] = []
        self.rejects: list[Reject] = []
        self.num_repaired = self.num_duplicates = 0
        self.by_code: dict[str, int] = {}
        self.examples: dict[str, tuple[int, str]] = {}
        self.media_paths: dict[str, None] = {}
        self.lacks_media = False
        self.files: dict[str, str] = {}

    def note_media(self, row: CheckedRow) -> None:
        """Remember the files that what becomes of a row depends on."""
        for facts in (*row.images, *row.videos):
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
            self.note_media(row)
        numbers: list[int] = []
        if not row.has_errors:
            try:
                numbers = self._place_media(row)
            except MediaError as error:
                row.findings.insert(0, _undecodable(row, error))
        codes = tuple(dict.fromkeys([*repairs, *(finding.code for finding in row.findings)]))
        for code in codes:
            self.by_code[code] = self.by_code.get(code, 0) + 1
        if row.has_errors:
            self._reject(row, row_hash, codes)
            return
        line = row.raw.location.line
        outcome = REPAIRED if repairs else CONVERTED
        self.num_repaired += bool(repairs)
        self.ledger.append(LedgerRow(self.chunk.source, line, row_hash, outcome, codes, split))
        self.converted.append(Converted(row, row_hash, numbers, split))

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
        assert row.layout is not None
        frames = {i: self._read_video(row, i) for i in range(len(row.videos))}
        return [
            self.media.add(*self._image_media(row.images[placed.source]))
            if placed.kind == "image"
            else self.media.add(*frames[placed.source][placed.frame_index])
            for placed in row.layout.images
        ]

    def _image_media(self, facts: MediaFacts) -> tuple[MediaKey, Media]:
        header, file, known = facts.header, facts.file, self.planner.media_files
        assert header is not None
        found = None if file is None else known.get(file)
        # As long as the header is remembered, so is the state of the file that it was read from.
        if found is not None and (found[1].width, found[1].height) == (header.width, header.height):
            return found
        kind, width, height, orientation = header.format.lower(), header.width, header.height, header.orientation
        media = Media(None, None, None, None, None, kind, width, height, orientation)
        if facts.data is not None:
            digest = content_hash(facts.data)
            return ("content", digest), replace(media, hash=digest, bytes=facts.data, size=len(facts.data))
        assert file is not None
        if len(known) >= _MOST_FILES:
            known.clear()
        is_linked = self.planner.config.media == "link"
        found = known[file] = self._link(file, media) if is_linked else self._embed(file, media)
        return found

    def _read_video(self, row: CheckedRow, index: int) -> dict[int, tuple[MediaKey, Media]]:
        """Return key and media of each frame that is used, by its number in the video."""
        facts = row.videos[index]
        video, layout = facts.video, row.layout
        assert video is not None
        assert facts.path is not None
        assert layout is not None
        wanted = sorted({i.frame_index for i in layout.images if i.kind == "frame" and i.source == index})
        media = Media(None, None, None, None, None, video.format.lower(), video.width, video.height)
        if self.planner.config.media == "link":
            return dict.fromkeys(wanted, self._link(str(facts.path), media))
        decoded = decode_frames(facts.path, wanted, timeout_s=self.planner.config.media_timeout)
        if decoded.reader == PYAV and video.reader != PYAV:
            row.findings.append(_read_by_second(row, facts))
        placed = {}
        for frame_index, frame in zip(wanted, decoded.frames, strict=True):
            png = frame_to_png(frame)
            digest = content_hash(png)
            stored = replace(media, hash=digest, bytes=png, size=len(png), format="png")
            placed[frame_index] = (("content", digest), stored)
        return placed

    def _link(self, file: str, media: Media) -> tuple[MediaKey, Media]:
        path, facts = self._relative(file), Path(file).stat()
        return ("path", path.encode()), replace(media, path=path, size=facts.st_size, mtime_ns=facts.st_mtime_ns)

    def _embed(self, file: str, media: Media) -> tuple[MediaKey, Media]:
        data = read_media_file(file)
        digest = content_hash(data)
        return ("content", digest), replace(media, hash=digest, path=self._relative(file), size=len(data))

    def _relative(self, file: str) -> str:
        base = self.planner.recipe.media_base
        start, file = f"{base}/", str(Path(file))
        if file.startswith(start) and "/.." not in file:
            return file[len(start) :]
        relative = os.path.relpath(file, base)
        if not relative.startswith(".."):
            return Path(relative).as_posix()
        real = Path(file).resolve()  # the base is a real path too
        return (real.relative_to(base) if real.is_relative_to(base) else real).as_posix()

    def write(self) -> Part:
        """Write the part's files and return what there is to know of it."""
        stem = self.planner.recipe.folder / self.name
        splits: dict[str, SplitCounts] = {}
        samples = []
        if self.converted:
            batch, splits = samples_table(self.converted, self.planner.encoder, self.chunk.source)
            samples.append(batch)
        rows = self.media.rows
        written = [
            write_at_once(stem.with_suffix(".samples"), SAMPLES_SCHEMA, samples),
            self._write_media(stem.with_suffix(".media")),
            write_at_once(stem.with_suffix(".ledger"), LEDGER_SCHEMA, [ledger_batch(self.ledger)]),
            write_rejects(stem.with_suffix(".rejects"), self.rejects, is_durable=False),
        ]
        self.files = {entry.file: entry.sha256 for entry in written}
        return Part(
            name=self.name,
            source=self.chunk.source,
            num_rows=len(self.chunk.rows),
            num_rejected=len(self.rejects),
            by_code=self.by_code,
            examples=self.examples,
            splits=splits,
            media_keys=[(kind, key.hex()) for kind, key in self.media.numbers],
            media_bytes=[(entry.size or 0) if entry.mtime_ns is None else 0 for entry in rows],
            num_repaired=self.num_repaired,
            num_duplicates=self.num_duplicates,
        )

    def _write_media(self, path: Path) -> ShardFile:
        rows = self.media.rows
        if all(entry.bytes is None for entry in rows):
            return write_at_once(path, MEDIA_SCHEMA, [media_batch(rows)])
        batches = (media_batch(rows[i : i + MEDIA_BATCH_ROWS]) for i in range(0, len(rows), MEDIA_BATCH_ROWS))
        return write_arrow(path, MEDIA_SCHEMA, batches, is_durable=False)  # frames may be many: one batch at a time


def _read_by_second(row: CheckedRow, facts: MediaFacts) -> Finding:
    """Return the note on a video that decord opens, but whose frames it cannot read."""
    return Finding(
        code="V357",
        name=RULES["V357"].name,
        severity=Severity.INFO,
        location=row.raw.location,
        field=facts.ref.field,
        message=second_reader_message(facts.shown_source),
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
