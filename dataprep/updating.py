"""Bring shards up to date: a conversion beside the old ones that takes unchanged rows over, and then a swap.

The old directory stays whole and valid until the new one takes its name, in one step where the file system can. A run
that is killed leaves either of them under that name, and the same command completes it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dataprep import __version__
from dataprep.config import ConvertConfig
from dataprep.conversion import convert
from dataprep.errors import ConfigError, ShardError
from dataprep.inputs import Progress
from dataprep.reuse import RECORDED, Reuse
from dataprep.shards.format import MANIFEST_NAME, REPAIRS_NAME
from dataprep.shards.locking import hold_directory
from dataprep.shards.manifest import Manifest, read_manifest

_EXCHANGE = 2
_AT_FDCWD = -100
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


@dataclass(frozen=True, slots=True)
class Update:
    """What bringing shards up to date came to.

    Attributes:
        manifest: The manifest of the shards as they are now.
        num_taken: Rows whose sample was taken over.
        num_encoded: Rows that were tokenized.
        is_unchanged: Whether nothing had changed, so that nothing was written.
        reason: Why no row could be taken over; empty where rows could.
    """

    manifest: Manifest
    num_taken: int
    num_encoded: int
    is_unchanged: bool
    reason: str = ""


def update(
    paths: list[str],
    out: str | Path,
    config: ConvertConfig,
    *,
    progress: Progress = lambda stage, done, total: None,
) -> Update:
    """Make the shards of a directory those of some data files; what is unchanged is taken over from them.

    The result is, byte for byte, that of a new conversion.

    Args:
        paths: Data files or folders of them, as of :func:`dataprep.conversion.convert`.
        out: The shard directory.
        config: How to convert: as the shards were made.
        progress: Told how far each stage is.

    Raises:
        ConfigError: If the options are not those that the shards were made with, or another run uses the directory.
        DataprepError: As of ``convert``; the shards are then as they were.
    """
    place = Path(os.path.realpath(out))
    open_manifest(place)  # says what is wrong with a directory that holds no shards
    beside = place.with_name(f".{place.name}.update")
    with hold_directory(place):
        manifest = read_manifest(place)
        _remove_complete(beside)
        reuse = Reuse(place)
        made = convert(paths, beside, config, progress=progress, reuse=reuse)
        if reuse.is_unchanged:
            shutil.rmtree(beside)
            return Update(manifest, reuse.num_taken, reuse.num_encoded, is_unchanged=True)
        with hold_directory(beside):
            swap(place, beside)
            shutil.rmtree(beside, ignore_errors=True)
    reason = ""
    if not reuse.is_of_this_release:
        reason = f"the shards were written by dataprep {manifest.tool_version}, this is {__version__}"
    return Update(made, reuse.num_taken, reuse.num_encoded, is_unchanged=False, reason=reason)


def append(
    paths: list[str],
    out: str | Path,
    config: ConvertConfig,
    *,
    progress: Progress = lambda stage, done, total: None,
) -> Update:
    """Add data files to a shard directory: :func:`update` with those that it was made of, and more.

    Args:
        paths: Data files to add; those that are in already are read again.
        out: The shard directory.
        config: How to convert: as the shards were made.
        progress: Told how far each stage is.

    Raises:
        DataprepError: As of :func:`update`; also if a data file of the shards is no longer there.
    """
    old_paths, old_val, old_mix = recorded_sources(open_manifest(out), Path(out))
    known = {os.path.realpath(path) for path in (*_without_samples(old_paths), *_without_samples(old_val))}
    new = [path for path in paths if os.path.realpath(path) not in known]
    val = [path for path in config.val if os.path.realpath(path) not in known]
    given = {os.path.realpath(path) for path, _ in config.mix}
    mix = [pair for pair in old_mix if os.path.realpath(pair[0]) not in given]
    merged = replace(config, val=(*old_val, *val), mix=(*mix, *config.mix))
    return update([*old_paths, *new], out, merged, progress=progress)


def recorded_sources(manifest: Manifest, out: Path) -> tuple[list[str], list[str], list[tuple[str, float]]]:
    """Return the data files that shards were made of, those of the split ``val``, and the weights.

    Raises:
        ConfigError: If one of them is not there.
    """
    training: list[str] = []
    val: list[str] = []
    mix: list[tuple[str, float]] = []
    for source in manifest.sources:
        path = os.path.normpath(Path(manifest.source_root) / source.path)
        if not Path(path).is_file():
            raise ConfigError(
                f"{path}, which {out} was made of, is not there; restore it, or name all data files with --update"
            )
        if source.weight is not None:
            mix.append((path, source.weight))
        (val if source.split == "val" else training).append(
            path if source.sample is None else f"{path}#{source.sample}"
        )
    return training, val, mix


def _without_samples(paths: list[str]) -> list[str]:
    from dataprep.inputs import split_sample

    return [split_sample(path)[0] for path in paths]


def recorded_options(manifest: Manifest) -> dict[str, object]:
    """Return the options that shards were made with, by the names of the fields of the configuration."""
    options: dict[str, object] = {name: getattr(manifest, member) for member, name, _ in RECORDED}
    options["max_num"] = manifest.max_num
    if manifest.ledger.rejected:
        options["on_bad"] = "skip"
    if manifest.ledger.repaired and REPAIRS_NAME not in manifest.files:  # not by a cut to length
        options["fix"] = True
    if manifest.ledger.duplicate:
        options["drop_duplicates"] = True
    return options


def open_manifest(out: str | Path) -> Manifest:
    """Return the manifest of shards to bring up to date.

    If a run was killed between the two steps of a swap that takes two, they are given their name back first.

    Raises:
        ShardError: If there is none.
    """
    place = Path(os.path.realpath(out))
    previous = _previous(place)
    if (previous / MANIFEST_NAME).is_file() and not place.exists():
        previous.rename(place)
    return read_manifest(place)


def _previous(place: Path) -> Path:
    return place.with_name(f".{place.name}.previous")


def _remove_complete(beside: Path) -> None:
    """Remove what a killed run left beside the shards, unless it can be continued."""
    if (beside / MANIFEST_NAME).exists():
        # Without its manifest it would pass for a conversion that can be continued: it goes under another name first.
        previous = _previous(beside)
        shutil.rmtree(previous, ignore_errors=True)
        beside.rename(previous)
        shutil.rmtree(previous)
    elif beside.exists() and not (beside / ".parts").exists():
        shutil.rmtree(beside)


def swap(place: Path, beside: Path) -> None:
    """Give two directories each other's name.

    Raises:
        ShardError: If the system refuses; both are then as they were.
    """
    try:
        if not _exchange(place, beside):
            previous = _previous(place)
            shutil.rmtree(previous, ignore_errors=True)
            place.rename(previous)
            try:
                beside.rename(place)
            except OSError:
                previous.rename(place)
                raise
            with suppress(OSError):
                previous.rename(beside)
        descriptor = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ShardError(
            f"{place} cannot be replaced ({error.strerror}); it is as it was, and the new shards are in {beside}"
        ) from error


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step; return whether this system and file system can."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    if rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), ctypes.c_uint(_EXCHANGE)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number))
