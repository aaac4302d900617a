"""The manifest: what a shard directory holds, how it was made, and a hash of every file.

``manifest.json`` is written last and atomically, so its presence means that the directory is complete. Its
``checksum`` is the SHA-256 of the canonical JSON (sorted keys, no spaces, UTF-8) of all other members.
Reading checks the format version before anything else, then the checksum, then names and types, by hand:
jsonschema is not on the reading path. ``schemas/manifest.schema.json`` says the same, and a test compares.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.errors import ShardFormatError, ShardHashError, ShardVersionError
from dataprep.shards.atomic import atomic_file
from dataprep.shards.format import (
    FORMAT_VERSION,
    LEDGER_NAME,
    LOSS_ANSWERS,
    LOSS_MASKS,
    MANIFEST_NAME,
    MEDIA_MODES,
    READABLE_VERSIONS,
    REJECTS_NAME,
    REPAIRS_NAME,
    SHARD_NAME,
)
from dataprep.shards.storage import Place
from dataprep.shards.typed_json import OPTIONAL, JsonTypeError, from_object, to_object


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceEntry:
    """One input file: path relative to the source root, SHA-256, size, number of rows, split it was given for.

    ``rows`` counts a row as often as it was read. ``sample`` and ``weight`` say how many rows were asked for, where not
    all of them once: a number, or a multiple of those that there are.
    """

    path: str
    sha256: str
    bytes: int
    rows: int
    split: str
    sample: int | None = field(default=None, metadata=OPTIONAL)
    weight: float | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprints:
    """Hashes of what decides the ids: a changed one means that the samples must be made again.

    ``all`` covers the others; the names say which part changed.
    """

    tokenizer: str
    template: str
    tiling: str
    boxes: str
    labels: str
    system: str
    all: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerFacts:
    """What can be said of a tokenizer in words where its fingerprint is another one.

    ``vocabulary``, ``merges`` and ``rest`` are SHA-256 hashes of the tokens that were learnt, of how they are put
    together, and of all else that decides about ids. ``answer_start_ids`` are the ids between a query and its answer.
    """

    vocab_size: int
    bos_token_id: int | None
    added_tokens: dict[str, int]
    vocabulary: str
    merges: str
    rest: str
    answer_start_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitTotals:
    """Totals of one split; ``shards`` is the number of its samples files."""

    rows: int
    tokens: int
    trained_tokens: int
    tiles: int
    shards: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleShard:
    """One samples file: all its rows are of one split."""

    file: str
    split: str
    rows: int
    tokens: int
    trained_tokens: int
    tiles: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaShard:
    """One media file."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FileEntry:
    """Size and hash of the ledger or of the rejects."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthStats:
    """Sample lengths in tokens over all splits; percentiles are nearest-rank, the mean has two decimals."""

    min: int
    mean: float
    p50: int
    p90: int
    p99: int
    max: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerTotals:
    """Counts of ledger rows by outcome, and for each rule code the rows that carry it."""

    rows_in: int
    converted: int
    repaired: int
    rejected: int
    duplicate: int
    by_code: dict[str, int]
    unsampled: int = field(default=0, metadata=OPTIONAL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Everything that ``manifest.json`` says, but for the checksum, which follows from it.

    Media mode ``embed`` stores the media in the media shards, ``link`` where they lie under ``media_root``.
    ``special_text`` says what was done with text that spells a special token, ``missing_image_tag`` where a
    missing ``<image>`` was put, ``exif`` whether EXIF rotation is applied when pixels are read, ``loss_mask`` which
    answers are trained. ``tokenizer`` is None in shards of a release that did not write it.
    """

    format_version: int = FORMAT_VERSION
    tool_version: str
    sources: tuple[SourceEntry, ...]
    source_root: str
    model_type: str
    template: str
    tile_size_px: int
    tokens_per_tile: int
    max_num: int
    max_length: int
    truncation: str
    box_style: str
    box_family: str
    exif: str
    media_mode: str
    media_root: str | None
    system: str | None
    video_frames: int
    special_text: str
    missing_image_tag: str
    eos_token_id: int
    context_token_id: int
    pad_token_id: int
    fingerprints: Fingerprints
    splits: dict[str, SplitTotals]
    sample_shards: tuple[SampleShard, ...]
    media_shards: tuple[MediaShard, ...]
    files: dict[str, FileEntry]
    lengths: LengthStats
    ledger: LedgerTotals
    loss_mask: str = field(default=LOSS_ANSWERS, metadata=OPTIONAL)
    tokenizer: TokenizerFacts | None = field(default=None, metadata=OPTIONAL)

    @property
    def checksum(self) -> str:
        """SHA-256 of the canonical JSON of all fields, 64 hexadecimal digits: names this set of shards."""
        return _checksum(to_object(self))

    def shard_rows(self) -> list[tuple[str, int]]:
        """List (file name, rows) of every samples and media shard."""
        samples = [(entry.file, entry.rows) for entry in self.sample_shards]
        return samples + [(entry.file, entry.rows) for entry in self.media_shards]

    def all_files(self) -> dict[str, FileEntry]:
        """Map the name of every file but the manifest to its size and hash, shards first."""
        samples = {entry.file: FileEntry(bytes=entry.bytes, sha256=entry.sha256) for entry in self.sample_shards}
        media = {entry.file: FileEntry(bytes=entry.bytes, sha256=entry.sha256) for entry in self.media_shards}
        return samples | media | self.files

    def to_json(self) -> str:
        """Return the text of ``manifest.json``: sorted, indented by two spaces, one final line end."""
        return pretty_json(to_object(self) | {"checksum": self.checksum})

    @classmethod
    def from_json(cls, text: str, place: str = MANIFEST_NAME) -> Manifest:
        """Read the text of a manifest.

        Args:
            text: JSON text.
            place: Path of the file, for messages.

        Returns:
            The manifest.

        Raises:
            ShardVersionError: When the format version is not one that this release reads.
            ShardHashError: When the checksum does not match: the file was changed or damaged.
            ShardFormatError: When it is not JSON, or lacks a member, or one has another type.
        """
        members = _parse(text, place)
        stored = members.pop("checksum", None)
        actual = _checksum(members)
        if stored != actual:
            raise ShardHashError(
                f"{place}: the checksum is {stored}, the content gives {actual}: the manifest was edited or "
                f"damaged; restore the file or convert again"
            )
        try:
            manifest = from_object(cls, members, "")
        except JsonTypeError as error:
            raise ShardFormatError(
                f"{place}: {error}; read it with the release that wrote it ({members.get('tool_version')})"
            ) from error
        _check_names(manifest, place)
        return manifest


def pretty_json(members: dict[str, Any]) -> str:
    """Return JSON as it stands in ``manifest.json``."""
    return json.dumps(members, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False) + "\n"


def _checksum(members: dict[str, Any]) -> str:
    text = json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _parse(text: str, place: str) -> dict[str, Any]:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ShardFormatError(f"{place}: not JSON ({error}); restore the file or convert again") from error
    if not isinstance(members, dict):
        raise ShardFormatError(f"{place}: not a JSON object; this is not a manifest of shards")
    version = members.get("format_version")
    if version not in READABLE_VERSIONS or isinstance(version, bool):
        readable = ", ".join(map(str, READABLE_VERSIONS))
        raise ShardVersionError(
            f"{place}: format version {version!r}, this release reads {readable}; "
            f"upgrade dataprep or convert the data again"
        )
    return members


def _check_names(manifest: Manifest, place: str) -> None:
    """Refuse values that would lead the reader astray, above all a file name that leaves the directory."""
    problem = None
    for name, rows in manifest.shard_rows():
        if not SHARD_NAME.fullmatch(name):
            problem = f"the shard name {name!r} is not of the form samples-00000.arrow or media-00000.arrow"
        elif rows < 0:
            problem = f"{name} has {rows} rows"
    if manifest.media_mode not in MEDIA_MODES:
        problem = f"the media mode is {manifest.media_mode!r}, expected one of {', '.join(MEDIA_MODES)}"
    if manifest.loss_mask not in LOSS_MASKS:
        problem = f"the loss mask is {manifest.loss_mask!r}, expected one of {', '.join(LOSS_MASKS)}"
    if set(manifest.files) - {REPAIRS_NAME} != {LEDGER_NAME, REJECTS_NAME}:
        problem = f"files lists {sorted(manifest.files)}, expected {LEDGER_NAME} and {REJECTS_NAME}"
    if problem is not None:
        raise ShardFormatError(f"{place}: {problem}; convert the data again")


def write_manifest(directory: Place, manifest: Manifest) -> None:
    """Write ``manifest.json`` atomically. Do it last: it declares the directory complete.

    Raises:
        ShardError: When the system refuses to write.
    """
    with atomic_file(directory / MANIFEST_NAME) as file:
        file.write(manifest.to_json().encode("utf-8"))


def read_manifest(directory: Place) -> Manifest:
    """Read the manifest of a shard directory.

    Raises:
        ShardFormatError: When there is none, or it cannot be read; also ``from_json``'s errors.
    """
    path = directory / MANIFEST_NAME
    return Manifest.from_json(read_manifest_text(directory), str(path))


def read_manifest_text(directory: Place) -> str:
    """Return the text of ``manifest.json``.

    Raises:
        ShardFormatError: When there is no such file, or it is not UTF-8.
    """
    path = directory / MANIFEST_NAME
    if not directory.is_dir():
        raise ShardFormatError(f"{directory}: no such directory; give the --out of a conversion")
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise ShardFormatError(
            f"{directory}: no {MANIFEST_NAME}: these are no shards, or their conversion did not finish; "
            f"run 'dataprep convert' again"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ShardFormatError(f"{path}: cannot be read ({error}); restore it or convert again") from error


def length_stats(lengths: NDArray[np.int32] | NDArray[np.int64] | Sequence[int]) -> LengthStats:
    """Summarise sample lengths in tokens; all zero when there is no sample."""
    values = np.sort(np.asarray(lengths, dtype=np.int64))
    if not len(values):
        return LengthStats(min=0, mean=0.0, p50=0, p90=0, p99=0, max=0)

    def percentile(percent: int) -> int:
        return int(values[-(-percent * len(values) // 100) - 1])

    return LengthStats(
        min=int(values[0]),
        mean=round(int(values.sum()) / len(values), 2),
        p50=percentile(50),
        p90=percentile(90),
        p99=percentile(99),
        max=int(values[-1]),
    )
