"""Rows of data files with the facts of their media taken from shards that were made of them, not from the media.

Sizes, orientations and chosen frames are all that rules and tokens need of a medium, and shards keep them. What the
rules about media themselves said (a palette, a wrong ending) is taken over from the ledger by its codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.errors import ShardError
from dataprep.findings import Finding, Severity
from dataprep.fixing import mend_checked, safe_fixes
from dataprep.media.image_header import ImageHeader
from dataprep.media.index import MediaFacts, MediaIndex
from dataprep.media.video import VideoHeader, choose_frames
from dataprep.plain.checks import Size
from dataprep.plain.reader import Glance, PlainReader, is_covered_for_plain
from dataprep.records import MediaRef, Record
from dataprep.row_hashes import hash_raw
from dataprep.rules.base import CheckedRow, Level
from dataprep.rules.runner import FOR_CONVERSION, UP_TO_MEDIA, CheckerSet, RowChecker
from dataprep.rules.table import RULES
from dataprep.shards.arrow_file import ArrowTable
from dataprep.shards.columns import numbers
from dataprep.shards.format import KIND_FRAME, MEDIA_SCHEMA
from dataprep.shards.reader import Shards
from dataprep.shards.samples import Sample, SampleImage
from dataprep.sources import RawRow

_SAID_BY_MEDIA = frozenset(c for c, rule in RULES.items() if c[0] in "MV" and rule.level == Level.MEDIA)
_ERRORS_OF_MEDIA = frozenset(code for code in _SAID_BY_MEDIA if RULES[code].severity is Severity.ERROR)
_WITHOUT_MEDIA = frozenset({Level.SHAPE, Level.TEXT})
_ORDER = {code: (RULES[code].level, number) for number, code in enumerate(RULES)}


@dataclass(frozen=True, slots=True)
class _Headers:
    """Format, width, height and orientation of every medium, by its number."""

    formats: list[str]
    facts: NDArray[np.int32]

    def image(self, number: int) -> ImageHeader:
        width, height, orientation = self.facts[number].tolist()
        return ImageHeader(self.formats[number].upper(), width, height, orientation)


def _read_headers(shards: Shards) -> _Headers:
    formats: list[str] = []
    facts = [np.zeros((0, 3), dtype=np.int32)]
    for entry in shards.manifest.media_shards:
        table = ArrowTable(shards.directory / entry.file, MEDIA_SCHEMA, entry.rows)
        for batch in table.batches():
            formats += batch.column("format").to_pylist()
            columns = [numbers(batch.column(name)) for name in ("width", "height", "orientation")]
            facts.append(np.stack(columns, axis=1).astype(np.int32))
    return _Headers(formats, np.concatenate(facts))


class _StoredMedia(MediaIndex):
    """Answers for one row at a time, in the order in which its media are asked for."""

    def __init__(self, headers: _Headers) -> None:
        super().__init__(Path.cwd())
        self._headers = headers
        self._place = ""
        self._images: list[SampleImage] = []
        self._videos: list[list[SampleImage]] = []

    def begin(self, sample: Sample) -> None:
        """Answer for the row of a sample from now on."""
        self._place = f"{sample.source_file}:{sample.source_line}"
        self._images = [image for image in sample.images if image.kind != KIND_FRAME]
        frames = [image for image in sample.images if image.kind == KIND_FRAME]
        count = 1 + max((frame.video for frame in frames), default=-1)
        self._videos = [[frame for frame in frames if frame.video == number] for number in range(count)]

    @property
    def is_used_up(self) -> bool:
        """Whether the row has asked for all of its media."""
        return not self._images and not self._videos

    def end(self) -> None:
        """Make sure that the row has asked for all of its media.

        Raises:
            ShardError: If it has not.
        """
        if not self.is_used_up:
            raise self._disagrees()

    def find(self, ref: MediaRef) -> MediaFacts:
        """Return the facts of the row's next image or video; none, as of a medium that is not there, if it has none."""
        return self.look_up(ref) if self._images else MediaFacts(ref=ref)

    def look_up(self, ref: MediaRef) -> MediaFacts:
        """Return the facts of the row's next image or video."""
        stored = self._images if ref.kind == "image" else self._videos
        if not stored:
            raise self._disagrees()
        if ref.kind == "image":
            return MediaFacts(ref=ref, header=self._headers.image(self._images.pop(0).media))
        return MediaFacts(ref=ref, video=_video_of(self._videos.pop(0)))

    def split_joined(self, record: Record) -> Record:
        """Return the record with paths that a bare text joins by commas taken apart, where the sample has so many."""
        return replace(
            record,
            images=_take_apart(record.images, len(self._images)),
            videos=_take_apart(record.videos, len(self._videos)),
        )

    def _disagrees(self) -> ShardError:
        return ShardError(f"{self._place}: the row names other media than its sample has; convert the data again")


def _take_apart(refs: tuple[MediaRef, ...], wanted: int) -> tuple[MediaRef, ...]:
    bare = next((ref for ref in refs if ref.field in ("images", "videos") and "," in ref.source), None)
    if bare is None or len(refs) == wanted:
        return refs
    joined = [MediaRef(bare.kind, part.strip(), bare.field, is_joined=True) for part in bare.source.split(",")]
    return tuple(new for ref in refs for new in (joined if ref is bare else [ref]))


def _video_of(frames: Sequence[SampleImage]) -> VideoHeader:
    """Return a header for which the same frames are chosen."""
    indices = [frame.frame_index for frame in frames]
    last, count = indices[-1], len(indices)
    for num_frames in range(last + 1, 2 * last + 2 * count + 2):
        if choose_frames(num_frames, num_segments=count) == indices:
            return VideoHeader("mp4", frames[0].width, frames[0].height, num_frames, 0.0)
    raise ShardError(f"no video has the chosen frames {indices}; convert the data again")


class _StoredPlainReader(PlainReader):
    """Reads the rows that are plain but, perhaps, for what rules say about media alone."""

    def __init__(self, path: str, checker: RowChecker, media: _StoredMedia) -> None:
        super().__init__(path, checker)
        self._media = media
        self._samples: dict[int, Sample] = {}

    def read_stored(self, raws: Sequence[RawRow], samples: Sequence[Sample]) -> list[CheckedRow | None]:
        """Return what ``read`` does, with the media of these samples."""
        self._samples = {id(raw): sample for raw, sample in zip(raws, samples, strict=True)}
        return self.read(raws)

    def _glance(self, raw: RawRow, row: Any, odd_number: re.Pattern[bytes] | None) -> Glance | None:
        self._media.begin(self._samples[id(raw)])
        glance = super()._glance(raw, row, odd_number)
        return glance if self._media.is_used_up else None

    def _look_up(self, source: str) -> tuple[MediaFacts, Size | None, None]:
        # Not remembered by its name: the next row has its own sample.
        facts = self._media.find(MediaRef("image", source.strip(), "images"))
        header = facts.header
        is_upright = header is not None and header.orientation == 1
        return facts, (header.width, header.height) if header is not None and is_upright else None, None


class StoredRowChecker:
    """Checks rows that became samples, with another tokenizer or template; reads no media."""

    def __init__(self, shards: Shards, checkers: CheckerSet) -> None:
        """Begin.

        Args:
            shards: What the rows became.
            checkers: Made for the new model and options, up to the level of tokens.
        """
        self._shards = shards
        self._checkers = checkers
        self._media = _StoredMedia(_read_headers(shards))
        self._by_file: dict[str, tuple[_StoredPlainReader | None, RowChecker, RowChecker]] = {}

    def check(self, raws: Sequence[RawRow], samples: Sequence[Sample]) -> list[CheckedRow]:
        """Return the rows of one data file, measured, with all findings but those of media; they need no look.

        Raises:
            ShardError: If a row names other media than its sample has.
        """
        if not raws:
            return []
        reader, before, tokens = self._for_file(raws[0].location.path)
        plain = [None] * len(raws) if reader is None else reader.read_stored(raws, samples)
        rows = []
        for raw, sample, row in zip(raws, samples, plain, strict=True):
            if row is None:
                self._media.begin(sample)
                row = before.check(raw)
                if row.record is not None:
                    self._media.end()
            rows.append(row)
        return tokens.check_all(raws, rows)

    def check_repaired(self, raw: RawRow, sample: Sample, codes: Sequence[str]) -> tuple[CheckedRow, tuple[str, ...]]:
        """Return a row that was repaired, as ``check`` does, and the codes of the rules whose fixes were applied.

        The fixes are found again, but for those of names of media, which tokens do not depend on.

        Args:
            raw: The row as found.
            sample: What it became.
            codes: Its codes in the ledger.

        Raises:
            ShardError: If it names other media than its sample has.
        """
        usual = self._checkers.for_file(raw.location.path)
        checker = RowChecker(usual.context, media=self._media, levels=_WITHOUT_MEDIA, severities=usual.severities)
        self._media.begin(sample)
        found = checker.check(raw)
        mended, applied = mend_checked(found, checker, safe_fixes)
        assert mended is not None  # no safe fix leaves a row out
        (row,) = self.check([mended.raw], [sample])
        row.raw, row.row_hash = raw, hash_raw(raw)
        made = {fix.code for fix in applied}
        # What conversion took with a code of an error about media, it took because that was mended.
        return row, tuple(code for code in codes if code in made or code in _ERRORS_OF_MEDIA)

    def _for_file(self, path: str) -> tuple[_StoredPlainReader | None, RowChecker, RowChecker]:
        if path not in self._by_file:
            usual = self._checkers.for_file(path)
            kept = {code: severity for code, severity in usual.severities.items() if code not in _SAID_BY_MEDIA}
            before = RowChecker(usual.context, media=self._media, levels=UP_TO_MEDIA, severities=kept)
            tokens = RowChecker(
                usual.context,
                media=self._media,
                levels=FOR_CONVERSION,
                encoder=self._checkers.encoder,
                severities=kept,
            )
            reader = _StoredPlainReader(path, before, self._media) if is_covered_for_plain(before) else None
            self._by_file[path] = reader, before, tokens
        return self._by_file[path]


def add_media_findings(row: CheckedRow, codes: Sequence[str]) -> None:
    """Give a row the findings about its media that an earlier ledger names, in the order of a conversion."""
    row.findings += _media_findings(row, codes)
    row.findings.sort(key=lambda finding: (finding.severity.rank, _ORDER[finding.code]))


def _media_findings(row: CheckedRow, codes: Sequence[str]) -> Iterator[Finding]:
    for code in codes:
        if code in _SAID_BY_MEDIA:
            yield Finding(
                code=code,
                name=RULES[code].name,
                severity=Severity.WARNING if RULES[code].severity is Severity.ERROR else RULES[code].severity,
                location=row.raw.location,
                field="",
                message="as found when the shards were first made",
            )
