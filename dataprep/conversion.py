"""Convert on one page: data files -> plan -> media shards -> sample shards -> ledger -> manifest.

Every input row ends in exactly one line of the ledger. The bytes of all files depend on the inputs and the options
alone, not on the number of workers or on interruptions; ``manifest.json`` is written last, so a directory without
it is not complete, and running the same command again continues it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import TypeVar

from dataprep import __version__
from dataprep.assembly import (
    AssemblyState,
    MediaTask,
    SamplesTask,
    ShardPlan,
    WrittenFiles,
    join_rejects,
    plan_shards,
    write_ledger,
    write_shard,
)
from dataprep.blocks import cut_chunks
from dataprep.config import ConvertConfig
from dataprep.data_files import expand_paths
from dataprep.duplicates import drop_duplicates
from dataprep.encode import Encoder
from dataprep.errors import ConfigError, DataprepError, SourceError
from dataprep.manifests import build_manifest
from dataprep.metas import expand_metas
from dataprep.parts import TRAIN_SPLIT, VAL_SPLIT, Chunk, Part
from dataprep.planning import Planner, PlanRecipe, plan_chunk
from dataprep.pool import Pool, open_pool
from dataprep.projection import project_size, refuse_full_disk
from dataprep.rules.measuring import make_encoder_from
from dataprep.rules.runner import media_root_of
from dataprep.shards.atomic import atomic_file
from dataprep.shards.format import LEDGER_NAME, MANIFEST_NAME, REJECTS_NAME
from dataprep.shards.locking import build_in_worker, hold_folder
from dataprep.shards.manifest import Manifest, SourceEntry, read_manifest, write_manifest
from dataprep.shards.writer import ShardFile
from dataprep.sources import read_rows
from dataprep.splitting import draw_splits

PARTS_FOLDER = ".parts"
FINISHED_NAME = "finished"
State = TypeVar("State")
Progress = Callable[[str, int, int], None]
"""Called with the stage, what is done of it, and how much there is (bytes, or files)."""
Notice = Callable[[str], None]
"""Called with a sentence, without a full stop, that a person will want to read while the conversion runs."""


class BadRowsError(DataprepError):
    """More rows are bad than the options accept.

    Attributes:
        num_rows: Rows read.
        num_rejected: Rows that are bad.
        reasons: For each code the number of rows and the first of them in words.
        on_bad: The option as given.
        max_bad_ratio: The option as given.
    """

    def __init__(
        self,
        num_rows: int,
        num_rejected: int,
        reasons: dict[str, tuple[int, str]],
        on_bad: str,
        max_bad_ratio: float,
    ) -> None:
        super().__init__(num_rows, num_rejected, reasons, on_bad, max_bad_ratio)
        self.num_rows = num_rows
        self.num_rejected = num_rejected
        self.reasons = reasons
        self.on_bad = on_bad
        self.max_bad_ratio = max_bad_ratio

    @property
    def accepting_options(self) -> str:
        """The options with which the same command accepts the loss."""
        ratio = -(-self.num_rejected * 10_000 // self.num_rows) / 10_000
        return "--on-bad skip" + (f" --max-bad-ratio {ratio:g}" if ratio > self.max_bad_ratio else "")

    def __str__(self) -> str:
        share = f"{self.num_rejected} of {self.num_rows} rows are bad ({self.num_rejected / self.num_rows:.1%})"
        if self.on_bad == "skip":
            share += f", more than --max-bad-ratio {self.max_bad_ratio:g} accepts"
        return f"{share}; mend them, or accept the loss with: {self.accepting_options}"


@dataclass(frozen=True, slots=True)
class _Told:
    progress: Progress
    notice: Notice


@dataclass(frozen=True, slots=True)
class _Source:
    path: str
    name: str
    is_val: bool


def convert(
    paths: list[str],
    out: str | Path,
    config: ConvertConfig,
    *,
    progress: Progress = lambda stage, done, total: None,
    notice: Notice = lambda text: None,
) -> Manifest:
    """Convert data files into a shard directory.

    Args:
        paths: Data files or folders of them.
        out: The directory to make; it must not hold anything else.
        config: How to convert.
        progress: Told how far each stage is.
        notice: Told how large the shards will be before they are written.

    Returns:
        The manifest of the directory.

    Raises:
        BadRowsError: If more rows are bad than ``on_bad`` and ``max_bad_ratio`` accept.
        DataprepError: If an input cannot be read, an option cannot be used or the disk is full.
    """
    out = Path(out)
    paths, config = expand_metas(paths, config)
    _check_names(out, *paths, *config.val, config.media_root or "", config.model or "")
    encoder = make_encoder_from(config)
    sources, source_root = _list_sources(expand_paths(paths), expand_paths(list(config.val)))
    media_base = _common_folder([media_root_of(source.path, config) for source in sources])
    finished = _finish_killed_run(out, sources, config, encoder)
    if finished is not None:
        return finished
    parts_folder = _prepare_folder(out)
    with hold_folder(parts_folder, out):
        _refuse_complete(out)  # another run may have ended meanwhile
        state = AssemblyState(parts_folder, out, media_base, encoder.tokenizer.context_id)
        told = _Told(progress, notice)
        return _run(state, sources, source_root, config=config, encoder=encoder, told=told)


def _run(
    state: AssemblyState,
    sources: Sequence[_Source],
    source_root: Path,
    *,
    config: ConvertConfig,
    encoder: Encoder,
    told: _Told,
) -> Manifest:
    recipe = PlanRecipe(config, state.parts, state.media_base)
    reader = _SourceReader(sources, lambda: _draw(sources, config), told.progress)
    with open_pool(build=_build_of(recipe, state.parts, config.jobs), jobs=config.jobs) as pool:
        parts = list(pool.run_ordered(plan_chunk, reader.chunks()))
        _refuse_bad_rows(parts, config)
        if config.drop_duplicates:
            parts = drop_duplicates(state.parts, parts)
        plan = plan_shards(parts)
        size = project_size(state, plan, parts, tokens_per_tile=encoder.settings.tiles.tokens_per_tile)
        refuse_full_disk(state.out, size)
        told.notice(str(size))
        written = _write_shards(state, plan, parts, pool=pool, progress=told.progress)
    listed = (source_root, reader.entries)
    manifest = build_manifest(state, plan, parts, config=config, encoder=encoder, sources=listed, written=written)
    with atomic_file(state.parts / FINISHED_NAME) as file:
        file.write(_run_key(reader.entries, config, encoder).encode())
    write_manifest(state.out, manifest)
    _remove_parts(state.parts)
    return manifest


def _build_of(build: Callable[[], State], folder: Path, jobs: int) -> Callable[[], State]:
    """Return the recipe for workers that write below a folder."""
    return partial(build_in_worker, folder, build) if jobs > 1 else build


def _finish_killed_run(
    out: Path, sources: Sequence[_Source], config: ConvertConfig, encoder: Encoder
) -> Manifest | None:
    """Clean up after a run of the same inputs and options that was killed behind its manifest; None for any other."""
    marker = out / PARTS_FOLDER / FINISHED_NAME
    try:
        if not (out / MANIFEST_NAME).is_file() or not marker.is_file():
            return None
    except OSError:  # a name that cannot be: said where the folder is made
        return None
    manifest = read_manifest(out)
    actual = {source.name: _hash_source(source.path) for source in sources}
    told = {entry.path: (entry.sha256, entry.bytes) for entry in manifest.sources}
    if actual != told or marker.read_text(encoding="utf-8") != _run_key(manifest.sources, config, encoder):
        return None
    _remove_parts(marker.parent)
    return manifest


def _run_key(entries: Sequence[SourceEntry], config: ConvertConfig, encoder: Encoder) -> str:
    """Return a hash of all that decides about the files of a run, but for its media."""
    options = str(asdict(replace(config, jobs=1, on_bad="error", max_bad_ratio=0.0, media_timeout=60)))
    facts = [__version__, encoder.tokenizer.fingerprint, options, *map(str, entries)]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def _remove_parts(folder: Path) -> None:
    """Remove the parts, and last what says that they are not needed: this, too, can be killed."""
    for path in folder.iterdir():
        if path.name != FINISHED_NAME:
            path.unlink()
    shutil.rmtree(folder)


def _check_names(*paths: str | Path) -> None:
    """Refuse paths whose bytes are no UTF-8: neither the manifest nor Arrow can hold them."""
    for path in paths:
        place = os.fspath(Path(path).resolve())
        try:
            place.encode()
        except UnicodeEncodeError as error:
            shown = ascii(place)[1:-1]
            raise ConfigError(f"{shown} is not UTF-8, and shards cannot name it; rename the file or folder") from error


def _list_sources(files: Sequence[str], val_files: Sequence[str]) -> tuple[list[_Source], Path]:
    if "-" in (*files, *val_files):
        raise ConfigError("standard input cannot be converted, because a run must be able to continue; write a file")
    for path in (*files, *val_files):
        if not Path(path).is_file():
            raise ConfigError(f"{path} is a pipe, which cannot be read twice, as a conversion does; write a file")
    root = _common_folder([Path(path).parent for path in (*files, *val_files)])
    named = [(path, False) for path in files] + [(path, True) for path in val_files]
    sources = [_Source(path, _relative_to(root, Path(path)), is_val) for path, is_val in named]
    twice = [name for name, count in Counter(source.name for source in sources).items() if count > 1]
    if twice:
        raise ConfigError(f"{twice[0]} is named twice; name each data file once, for training or with --val")
    return sources, root


def _relative_to(root: Path, path: Path) -> str:
    # The folder's real place, as that of the root: the same file by another way in is the same file.
    return Path(os.path.relpath(path.parent.resolve() / path.name, root)).as_posix()


def _common_folder(folders: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([folder.resolve() for folder in folders]))


def _prepare_folder(out: Path) -> Path:
    """Make the output folder, or make sure that it holds nothing but an unfinished conversion."""
    parts = out / PARTS_FOLDER
    try:
        _refuse_complete(out)
        if out.exists() and not parts.exists() and any(out.iterdir()):
            raise ConfigError(f"{out} holds something else; choose an empty or new folder for --out")
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out} cannot be used for output ({error.strerror}); choose another --out") from error
    return parts


def _refuse_complete(out: Path) -> None:
    if (out / MANIFEST_NAME).exists():
        raise ConfigError(f"{out} already holds complete shards; choose another --out, or remove it first")


def _draw(sources: Sequence[_Source], config: ConvertConfig) -> Iterator[str]:
    """Yield the split of each row of the sources that were not given for validation."""
    asked = config.parse_split()
    if asked is None:
        return repeat(TRAIN_SPLIT)
    name, share = asked
    paths = [source.path for source in sources if not source.is_val]
    return iter(draw_splits(paths, config, name=name, share=share, jobs=config.jobs))


class _SourceReader:
    """Cuts the sources into chunks and takes down what the manifest says about each of them."""

    def __init__(self, sources: Sequence[_Source], draw: Callable[[], Iterator[str]], progress: Progress) -> None:
        self.entries: list[SourceEntry] = []
        self._sources = sources
        # Before the splits are drawn, which reads the rows too: they must be the same ones.
        self._stamps = [_stamp(source.path) for source in sources]
        self._drawn = draw()
        self._progress = progress

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks of all sources in order.

        Raises:
            SourceError: If a source changes while it is read.
        """
        total = sum(Path(source.path).stat().st_size for source in self._sources)
        number = done = 0
        for source, before in zip(self._sources, self._stamps, strict=True):
            self._refuse_changed(source, before, _stamp(source.path))
            num_rows = 0
            for rows in cut_chunks(read_rows(source.path)):
                splits = repeat(VAL_SPLIT, len(rows)) if source.is_val else islice(self._drawn, len(rows))
                yield Chunk(number, source.name, tuple(rows), tuple(splits))
                number += 1
                num_rows += len(rows)
                done += sum(len(row.text) + 1 for row in rows)
                self._progress("rows", min(done, total), total)
            digest, size = _hash_source(source.path)
            self._refuse_changed(source, before, (size, _stamp(source.path)[1]))
            split = VAL_SPLIT if source.is_val else TRAIN_SPLIT
            self.entries.append(SourceEntry(path=source.name, sha256=digest, bytes=size, rows=num_rows, split=split))

    def _refuse_changed(self, source: _Source, before: tuple[int, int], after: tuple[int, int]) -> None:
        if before != after:
            raise SourceError(f"{source.path} changed while it was read; run the command again")


def _stamp(path: str) -> tuple[int, int]:
    """Return size and modification time of a data file."""
    facts = Path(path).stat()
    return facts.st_size, facts.st_mtime_ns


def _hash_source(path: str) -> tuple[str, int]:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()


def _refuse_bad_rows(parts: Sequence[Part], config: ConvertConfig) -> None:
    num_rows = sum(part.num_rows for part in parts)
    num_rejected = sum(part.num_rejected for part in parts)
    if num_rows == 0:
        raise ConfigError("the data files hold no rows at all; check the paths")
    accepted = config.max_bad_ratio if config.on_bad == "skip" else 0
    # A quotient, as in the message: 0.29 * 100 is less than 29.
    if num_rejected / num_rows > accepted:
        reasons: dict[str, tuple[int, str]] = {}
        for part in parts:
            for code, (count, text) in part.examples.items():
                seen, first = reasons.get(code, (0, text))
                reasons[code] = (seen + count, first)
        raise BadRowsError(num_rows, num_rejected, reasons, config.on_bad, config.max_bad_ratio)


def _write_shards(
    state: AssemblyState, plan: ShardPlan, parts: Sequence[Part], *, pool: Pool, progress: Progress
) -> WrittenFiles:
    _clean(state.out)
    tasks: list[MediaTask | SamplesTask] = [*plan.media, *plan.samples]
    num_media, files = len(plan.media), []
    for written in pool.run_ordered(_write_shard, [(state, task) for task in tasks]):
        files.append(written)
        if len(files) <= num_media:
            progress("media shards", len(files), num_media)
        else:
            progress("sample shards", len(files) - num_media, len(plan.samples))
    media, samples = files[:num_media], files[num_media:]
    ledger = write_ledger(state.out / LEDGER_NAME, state, parts, plan)
    return WrittenFiles(media, samples, ledger, join_rejects(state.out / REJECTS_NAME, state, parts))


def _write_shard(planner: Planner, task: tuple[AssemblyState, MediaTask | SamplesTask]) -> ShardFile:
    return write_shard(*task)


def _clean(out: Path) -> None:
    """Remove shard files that a killed run left, so that nothing stale lies beside the new ones."""
    for path in [*out.glob("samples-*"), *out.glob("media-*")]:
        path.unlink()
