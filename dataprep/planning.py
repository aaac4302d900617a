"""The plan stage of a conversion: check, encode and hash one chunk of rows, and keep the result as a part.

A part is a pure function of its rows, the media behind them and the options; see :mod:`dataprep.parts`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from dataprep import __version__
from dataprep.config import ConvertConfig
from dataprep.encode import Encoder
from dataprep.errors import MediaError, SourceError
from dataprep.findings import Finding, Severity
from dataprep.media.index import MediaFacts
from dataprep.media.isolation import read_frames
from dataprep.media.video import frame_to_png
from dataprep.part_tables import Converted, samples_table
from dataprep.parts import Chunk, Part, SplitCounts, load_part, store_part
from dataprep.plain.reader import PlainReader, make_reader
from dataprep.records import hash_row, hash_text
from dataprep.rules.base import CheckedRow
from dataprep.rules.runner import FOR_CONVERSION, CheckerRecipe, CheckerSet
from dataprep.rules.table import RULES
from dataprep.shards.format import LEDGER_SCHEMA, MEDIA_BATCH_ROWS, MEDIA_SCHEMA, SAMPLES_SCHEMA, content_hash
from dataprep.shards.samples import LedgerRow, Media, Reject, RejectFinding
from dataprep.shards.writer import ledger_batch, media_batch, write_arrow, write_rejects
from dataprep.sources import RawRow

_MOST_LINKS = 50_000

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
        self._hashes: dict[Path, bytes] = {}
        self.links: dict[Path, tuple[MediaKey, Media]] = {}
        self._readers: dict[str, PlainReader | None] = {}

    def check(self, rows: Sequence[RawRow]) -> list[CheckedRow]:
        """Check rows of one data file: those that are plain fast, the others by the rules."""
        path = rows[0].location.path
        checker = self.checkers.for_file(path)
        if path not in self._readers:
            self._readers[path] = make_reader(path, checker)
        reader = self._readers[path]
        return checker.check_all(rows, () if reader is None else reader.read(rows))

    def hash_file(self, path: Path) -> bytes:
        """Return the content hash of a file; each file is read once."""
        if path not in self._hashes:
            self._hashes[path] = content_hash(read_media_file(path))
        return self._hashes[path]

    def part_key(self, chunk: Chunk) -> str:
        """Return what a part of this chunk must have been made from to be used again."""
        # What changes nothing in a part: how the work is done, and what becomes of it.
        plain = replace(
            self.config.on_one_machine(), on_bad="error", max_bad_ratio=0.0, val=(), cache=None, no_cache=False
        )
        options = asdict(plain)
        facts = [__version__, self.encoder.tokenizer.fingerprint, str(self.encoder.settings.tiles), str(options)]
        digest = hashlib.sha256("\0".join([*facts, chunk.source, *chunk.splits]).encode())
        for row in chunk.rows:
            digest.update(f"\0{row.location.line}\0{row.starts_with_bom}\0".encode() + row.text)
        return digest.hexdigest()


def read_media_file(path: Path) -> bytes:
    """Return a media file's bytes.

    Raises:
        SourceError: If it cannot be read any more, though its header could be.
    """
    try:
        return path.read_bytes()
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
    checked = planner.check(chunk.rows)
    planner.checkers.remember()
    for row, split in zip(checked, chunk.splits, strict=True):
        builder.add(row, split)
    part = builder.write()
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
        self.by_code: dict[str, int] = {}
        self.examples: dict[str, tuple[int, str]] = {}
        self.media_paths: dict[str, None] = {}
        self.lacks_media = False
        self.files: dict[str, str] = {}

    def add(self, row: CheckedRow, split: str) -> None:
        """Take a checked row in: convert it into a split, or reject it."""
        row_hash = row.row_hash or (hash_row(row.value) if row.value is not None else hash_text(row.raw.text))
        for facts in (*row.images, *row.videos):
            self.lacks_media |= facts.error is not None
            if facts.file is not None:
                self.media_paths[facts.file] = None
        numbers: list[int] = []
        if not row.has_errors:
            try:
                numbers = self._place_media(row)
            except MediaError as error:
                row.findings.insert(0, _undecodable(row, error))
        codes = tuple(dict.fromkeys(finding.code for finding in row.findings))
        for code in codes:
            self.by_code[code] = self.by_code.get(code, 0) + 1
        if row.has_errors:
            self._reject(row, row_hash, codes)
            return
        line = row.raw.location.line
        self.ledger.append(LedgerRow(self.chunk.source, line, row_hash, "converted", codes, split))
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
        header = facts.header
        assert header is not None
        media = Media(
            hash=None,
            bytes=None,
            path=None,
            size=None,
            mtime_ns=None,
            format=header.format.lower(),
            width=header.width,
            height=header.height,
            orientation=header.orientation,
        )
        if facts.data is not None:
            digest = content_hash(facts.data)
            return ("content", digest), replace(media, hash=digest, bytes=facts.data, size=len(facts.data))
        assert facts.path is not None
        if self.planner.config.media == "link":
            return self._link(facts.path, media)
        digest = self.planner.hash_file(facts.path)
        media = replace(media, hash=digest, path=self._relative(facts.path), size=facts.path.stat().st_size)
        return ("content", digest), media

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
            return dict.fromkeys(wanted, self._link(facts.path, media))
        placed = {}
        for frame_index, frame in zip(wanted, read_frames(facts.path, wanted), strict=True):
            png = frame_to_png(frame)
            digest = content_hash(png)
            stored = replace(media, hash=digest, bytes=png, size=len(png), format="png")
            placed[frame_index] = (("content", digest), stored)
        return placed

    def _link(self, path: Path, media: Media) -> tuple[MediaKey, Media]:
        links = self.planner.links
        known = links.get(path)
        # As long as the header is remembered, so is the state of the file that it was read from.
        if known is None or (known[1].width, known[1].height) != (media.width, media.height):
            if len(links) >= _MOST_LINKS:
                links.clear()
            relative, facts = self._relative(path), path.stat()
            linked = replace(media, path=relative, size=facts.st_size, mtime_ns=facts.st_mtime_ns)
            known = links[path] = ("path", relative.encode()), linked
        return known

    def _relative(self, path: Path) -> str:
        base = self.planner.recipe.media_base
        start, name = f"{base}/", str(path)
        if name.startswith(start) and "/.." not in name:
            return name[len(start) :]
        relative = os.path.relpath(path, base)
        if not relative.startswith(".."):
            return Path(relative).as_posix()
        real = path.resolve()  # the base is a real path too
        return (real.relative_to(base) if real.is_relative_to(base) else real).as_posix()

    def write(self) -> Part:
        """Write the part's files and return what there is to know of it."""
        stem = self.planner.recipe.folder / self.name
        splits: dict[str, SplitCounts] = {}
        samples = []
        if self.converted:
            batch, splits = samples_table(self.converted, self.planner.encoder, self.chunk.source)
            samples.append(batch)
        count = len(self.media.rows)
        media = (media_batch(self.media.rows[i : i + MEDIA_BATCH_ROWS]) for i in range(0, count, MEDIA_BATCH_ROWS))
        written = [
            write_arrow(stem.with_suffix(".samples"), SAMPLES_SCHEMA, samples, is_durable=False),
            write_arrow(stem.with_suffix(".media"), MEDIA_SCHEMA, media, is_durable=False),
            write_arrow(stem.with_suffix(".ledger"), LEDGER_SCHEMA, [ledger_batch(self.ledger)], is_durable=False),
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
            media_bytes=[(entry.size or 0) if entry.mtime_ns is None else 0 for entry in self.media.rows],
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
