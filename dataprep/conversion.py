"""Convert on one page: data files -> plan -> media shards -> sample shards -> ledger -> manifest.

Every input row ends in exactly one line of the ledger. The bytes of all files depend on the inputs and the options
alone, not on the number of workers or on interruptions; ``manifest.json`` is written last, so a directory without
it is not complete, and running the same command again continues it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import partial
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
    join_repairs,
    plan_shards,
    write_ledger,
    write_shard,
)
from dataprep.config import ConvertConfig
from dataprep.duplicates import drop_duplicates
from dataprep.encode import Encoder
from dataprep.errors import ConfigError, DataprepError
from dataprep.inputs import Progress, Source, SourceReader, are_finished, common_folder, draw, list_sources
from dataprep.long_rows import TOO_LONG, refuse_long_rows
from dataprep.manifests import build_manifest
from dataprep.media.cache import default_folder
from dataprep.metas import expand_metas
from dataprep.parts import Part
from dataprep.planner import Planner, PlanRecipe
from dataprep.planning import plan_chunk
from dataprep.pool import Engine, open_pool
from dataprep.projection import project_size, refuse_full_disk
from dataprep.reuse import Reuse, check_old_file, refuse_other_options
from dataprep.rules.measuring import make_encoder_from
from dataprep.rules.runner import media_root_of
from dataprep.shards.atomic import atomic_file
from dataprep.shards.format import LEDGER_NAME, MANIFEST_NAME, REJECTS_NAME, REPAIRS_NAME
from dataprep.shards.locking import build_in_worker, hold_folder
from dataprep.shards.manifest import Manifest, SourceEntry, read_manifest, write_manifest
from dataprep.shards.remote_folder import check_remote_folder, confirm_hold, hold_remote_folder, work_folder_of
from dataprep.shards.storage import Place, RemotePath, to_place
from dataprep.shards.writer import ShardFile

PARTS_FOLDER = ".parts"
FINISHED_NAME = "finished"
State = TypeVar("State")
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


def convert(
    paths: list[str],
    out: str | Place,
    config: ConvertConfig,
    *,
    progress: Progress = lambda stage, done, total: None,
    notice: Notice = lambda text: None,
    reuse: Reuse | None = None,
) -> Manifest:
    """Convert data files into a shard directory.

    Args:
        paths: Data files or folders of them.
        out: The directory to make, or its URI in a store; it must not hold anything else.
        config: How to convert.
        progress: Told how far each stage is.
        notice: Told how large the shards will be before they are written.
        reuse: Older shards, made with the same options, to take unchanged rows over from; the result is the same.

    Returns:
        The manifest of the directory; that of ``reuse``, and nothing is written, if nothing has changed.

    Raises:
        BadRowsError: If more rows are bad than ``on_bad`` and ``max_bad_ratio`` accept.
        DataprepError: If an input cannot be read, an option cannot be used or the disk is full.
    """
    out = to_place(out)
    paths, config = expand_metas(paths, config)
    mixed = [path for path, _ in config.mix]
    local = [out] if isinstance(out, Path) else []
    _check_names(*local, *paths, *config.val, *mixed, config.media_root or "", config.model or "")
    encoder = make_encoder_from(config)
    if reuse is not None:
        refuse_other_options(reuse.manifest, config, encoder, reuse.folder)
    sources, source_root = list_sources(paths, config)
    media_base = common_folder([media_root_of(source.path, config) for source in sources])
    parts_folder = _parts_folder(out, config)
    finished = _finish_killed_run(out, parts_folder, sources, config=config, encoder=encoder)
    if finished is not None:
        return finished
    _prepare_folder(out, parts_folder)
    with hold_folder(parts_folder, out), hold_remote_folder(out, parts_folder):
        _refuse_complete(out)  # another run may have ended meanwhile
        state = AssemblyState(parts_folder, out, media_base, encoder.tokenizer.context_id)
        told = _Told(progress, notice)
        return _run(state, sources, source_root, config=config, encoder=encoder, told=told, reuse=reuse)


def _run(
    state: AssemblyState,
    sources: Sequence[Source],
    source_root: Path,
    *,
    config: ConvertConfig,
    encoder: Encoder,
    told: _Told,
    reuse: Reuse | None,
) -> Manifest:
    # What a fix would make of a row is not known of one that is taken over.
    old = reuse.folder if reuse is not None and reuse.is_of_this_release and not config.fix else None
    recipe = PlanRecipe(config, state.parts, state.media_base, old)
    reader = SourceReader(sources, lambda: draw(sources, config, told.progress), told.progress)
    with _open_engine(recipe, state, sources) as pool:
        if reuse is not None and old is not None:
            list(pool.run_ordered(check_old_file, reuse.files_to_check()))
        parts = list(pool.run_ordered(plan_chunk, reader.chunks()))
        if config.truncation == "error" and any(TOO_LONG in part.examples for part in parts):
            refuse_long_rows(state.parts, parts, config.max_length)
        _refuse_bad_rows(parts, config)
        if config.drop_duplicates:
            parts = drop_duplicates(state.parts, parts)
        plan = plan_shards(parts)
        if reuse is not None:
            reuse.compare(parts, plan, state, (source_root, reader.entries))
            if reuse.is_unchanged:
                return reuse.manifest
        if old is None:  # of rows that are taken over the parts hold no ids, which is what the projection goes by
            size = project_size(state, plan, parts, tokens_per_tile=encoder.settings.tiles.tokens_per_tile)
            if isinstance(state.out, Path):
                refuse_full_disk(state.out, size)
            told.notice(str(size))
        written = _write_shards(state, plan, parts, pool=pool, progress=told.progress)
    listed = (source_root, reader.entries)
    manifest = build_manifest(state, plan, parts, config=config, encoder=encoder, sources=listed, written=written)
    with atomic_file(state.parts / FINISHED_NAME) as file:
        file.write(_run_key(reader.entries, config, encoder).encode())
    confirm_hold(state.out, state.parts)
    write_manifest(state.out, manifest)
    _remove_parts(state.parts)
    return manifest


def _parts_folder(out: Place, config: ConvertConfig) -> Path:
    """Return where parts are kept: in the output folder, or for one in a store in a work folder on a disk."""
    if isinstance(out, Path):
        if config.work_dir is not None:
            raise ConfigError(f"--work-dir is for an --out in a store; {out} is a folder and keeps its parts itself")
        return out / PARTS_FOLDER
    base = default_folder() if config.work_dir is None else config.work_dir
    if base is None:
        raise ConfigError(f"there is no home folder to keep the parts of {out} in; name one with --work-dir")
    return work_folder_of(out, base.resolve() / "work" if config.work_dir is None else base.resolve())


def _open_engine(recipe: PlanRecipe, state: AssemblyState, sources: Sequence[Source]) -> AbstractContextManager[Engine]:
    """Return what runs the tasks: processes of this machine, or workers of a Ray cluster."""
    config = recipe.config
    if config.engine == "ray":
        from dataprep.ray_engine import RayPlaces, open_ray

        shared = [source.path for source in sources]
        where = RayPlaces(config.ray_address, state.parts, state.out, shared)
        return open_ray(build=recipe, jobs=config.jobs, where=where)
    return open_pool(build=_build_of(recipe, state.parts, config.jobs), jobs=config.jobs)


def _build_of(build: Callable[[], State], folder: Path, jobs: int) -> Callable[[], State]:
    """Return the recipe for workers that write below a folder."""
    return partial(build_in_worker, folder, build) if jobs > 1 else build


def _finish_killed_run(
    out: Place, parts: Path, sources: Sequence[Source], *, config: ConvertConfig, encoder: Encoder
) -> Manifest | None:
    """Clean up after a run of the same inputs and options that was killed behind its manifest; None for any other."""
    marker = parts / FINISHED_NAME
    try:
        if not marker.is_file() or not (out / MANIFEST_NAME).is_file():
            return None
    except OSError:  # a name that cannot be: said where the folder is made
        return None
    manifest = read_manifest(out)
    key = _run_key(manifest.sources, config, encoder)
    if marker.read_text(encoding="utf-8") != key or not are_finished(sources, manifest.sources):
        return None
    _remove_parts(marker.parent)
    return manifest


def _run_key(entries: Sequence[SourceEntry], config: ConvertConfig, encoder: Encoder) -> str:
    """Return a hash of all that decides about the files of a run, but for its media."""
    plain = replace(config.on_one_machine(), on_bad="error", max_bad_ratio=0.0, media_timeout=60)
    options = str(asdict(plain))
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


def _prepare_folder(out: Place, parts: Path) -> None:
    """Make the output folder, or make sure that it holds nothing but an unfinished conversion."""
    try:
        if isinstance(out, RemotePath):
            parts.mkdir(parents=True, exist_ok=True)
            check_remote_folder(out, parts)
            return
        _refuse_complete(out)
        if out.exists() and not parts.exists() and any(out.iterdir()):
            raise ConfigError(f"{out} holds something else; choose an empty or new folder for --out")
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        place, option = (out, "--out") if isinstance(out, Path) else (parts, "--work-dir")
        raise ConfigError(f"{place} cannot be used for output ({error.strerror}); choose another {option}") from error


def _refuse_complete(out: Place) -> None:
    if (out / MANIFEST_NAME).exists():
        raise ConfigError(
            f"{out} already holds complete shards; add --update, choose another --out, or remove it first"
        )


def _refuse_bad_rows(parts: Sequence[Part], config: ConvertConfig) -> None:
    num_rows = sum(part.num_rows for part in parts)
    num_rejected = sum(part.num_rejected for part in parts)
    if num_rows == 0:
        raise ConfigError("the data files hold no rows at all; check the paths")
    num_rows -= sum(part.num_unsampled for part in parts)
    if num_rows == 0:
        raise ConfigError("none of the rows is taken; give larger weights with --mix")
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
    state: AssemblyState, plan: ShardPlan, parts: Sequence[Part], *, pool: Engine, progress: Progress
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
    rejects = join_rejects(state.out / REJECTS_NAME, state, parts)
    return WrittenFiles(media, samples, ledger, rejects, join_repairs(state.out / REPAIRS_NAME, state, parts))


def _write_shard(planner: Planner, task: tuple[AssemblyState, MediaTask | SamplesTask]) -> ShardFile:
    return write_shard(*task, None if planner.taker is None else planner.taker.old)


def _clean(out: Place) -> None:
    """Remove shard files that a killed run left, so that nothing stale lies beside the new ones."""
    for path in [*out.glob("samples-*"), *out.glob("media-*"), *out.glob(REPAIRS_NAME)]:
        path.unlink()
