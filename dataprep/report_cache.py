"""Remember the whole report of a lint run: a second run over unchanged files and media says the same at once.

One file per run, in ``reports`` in the folder of caches, under a hash of everything that decides what lint says: the
data files as named and their states, the options that matter, the baseline, the tokenizer, this program and the
packages beside it. In the file: the trail of the media that were looked at, and all findings. Every media file is
looked at again (:mod:`dataprep.media.trail`), and the report counts only if all are as they were; otherwise the run is
made anew.

Not remembered: standard input and pipes, runs that may fetch URLs or draw a contact sheet, runs that stopped early or
found more than can be kept, media that could not be read this time, media that are missing with their folder or are
there under another root, and files that changed less than two seconds before the run, since another change may leave
their times as they are.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dataprep import __file__ as own_file
from dataprep import __version__
from dataprep.config import LintConfig
from dataprep.errors import DataprepError
from dataprep.findings import Finding
from dataprep.media.cache import default_folder
from dataprep.media.trail import StoredTrail, Trail, is_unchanged, newest_change, state_of
from dataprep.shards.atomic import TEMPORARY_SUFFIX, atomic_file

if TYPE_CHECKING:
    from dataprep.budget import Budget

FOLDER_NAME = "reports"
_FORMAT = 1
_MOST_RUNS = 100
_MOST_BYTES = 256 << 20
_MOST_BYTES_OF_RUN = 64 << 20
_SETTLED_NS = 2_000_000_000
_HASH_BYTES = 32
_log = logging.getLogger(__name__)


class StoredRun(msgspec.Struct, array_like=True, kw_only=True):
    """What is remembered of a run besides its trail.

    Attributes:
        files: Path of each data file, its rows, and how many of them are of each format.
        findings: All findings, in the order in which they were made.
        groups: How many of them were made at a time.
        num_rows: Rows checked.
        num_rows_with_errors: Rows that conversion would reject.
        has_videos: Whether any row has a video.
        num_accepted: Findings that the baseline accepts.
        sampled_from: Rows that the rows checked were drawn from, or None.
        budget: The budget as it is stored, or nil.
    """

    files: list[tuple[str, int, list[tuple[str, int]]]]
    findings: list[Finding]
    groups: list[int]
    num_rows: int
    num_rows_with_errors: int
    has_videos: bool
    num_accepted: int
    sampled_from: int | None
    budget: msgspec.Raw

    def load_budget(self) -> Budget | None:
        """Return the budget."""
        if bytes(self.budget) == _NIL:
            return None
        from dataprep.budget import Budget

        return msgspec.msgpack.decode(self.budget, type=Budget)


class _Entry(msgspec.Struct, array_like=True):
    trail: StoredTrail
    run: msgspec.Raw


_encode = msgspec.msgpack.Encoder().encode
_NIL = _encode(None)


@dataclass(frozen=True, slots=True)
class ReportCache:
    """The place of one run among the reports that are remembered.

    Attributes:
        path: Its file.
        newest_ns: When the youngest of the files that decide about it changed, in ns since 1970.
        began_ns: When the run began.
        other_roots: Folders in which lint looks for media that are missing in their own.
    """

    path: Path
    newest_ns: int
    began_ns: int
    other_roots: tuple[str, ...]

    @classmethod
    def of_run(cls, files: Sequence[str], val_files: Iterable[str], config: LintConfig) -> ReportCache | None:
        """Return the place of a run; None if it is not to be remembered.

        Args:
            files: All data files, those for validation included.
            val_files: Those for validation.
            config: The options.
        """
        folder = None if config.no_cache else config.cache or default_folder()
        if folder is None or config.allow_urls or config.contact_sheet is not None:
            return None
        began_ns, newest_ns = time.time_ns(), 0
        options = replace(config, jobs=1, cache=None, no_cache=False)  # they decide how, not what
        try:
            key = [_FORMAT, __version__, sys.version, _own_state(), Path.cwd(), list(val_files), options]
            roots = [*(root for path in files for root in Path(path).absolute().parents[1:]), Path.cwd()]
            for path in [*files, *_option_files(config)]:
                facts = os.stat(path)  # noqa: PTH116 - a path may be any bytes
                if not stat.S_ISREG(facts.st_mode):
                    return None
                newest_ns = max(newest_ns, newest_change(facts))
                key += [path, state_of(facts)]
        except (OSError, ValueError):
            return None  # the run itself says what is wrong
        digest = hashlib.sha256(repr(key).encode("utf-8", "surrogateescape")).hexdigest()
        return cls(folder / FOLDER_NAME / f"{digest}.run", newest_ns, began_ns, tuple(dict.fromkeys(map(str, roots))))

    def load(self) -> StoredRun | None:
        """Return what an earlier run found, if all media are as they were then; None otherwise."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content[_HASH_BYTES:]).digest() != content[:_HASH_BYTES]:
            return None  # it is damaged, and will be written anew
        entry = msgspec.msgpack.decode(memoryview(content)[_HASH_BYTES:], type=_Entry)
        if not is_unchanged(entry.trail) or self._are_elsewhere(entry.trail.missing):
            return None
        with suppress(OSError):
            os.utime(self.path)  # the runs that were not asked for go first
        return msgspec.msgpack.decode(entry.run, type=StoredRun)

    def is_worthwhile(self, trail: Trail) -> bool:
        """Return whether a run with this trail can be remembered."""
        is_settled = max(self.newest_ns, trail.newest_ns) < self.began_ns - _SETTLED_NS
        return is_settled and trail.is_complete and not self._are_elsewhere(trail.missing)

    def _are_elsewhere(self, missing: Iterable[str]) -> bool:
        """Return whether any missing medium is in another folder, of which lint tells."""
        paths = (os.path.join(root, source) for source in missing for root in self.other_roots)  # noqa: PTH118
        return any(map(os.path.isfile, paths))

    def store(self, run: StoredRun, trail: Trail) -> None:
        """Remember a run, unless its findings hold what cannot be stored, or are too large."""
        try:
            content = _encode(_Entry(trail.stored(), msgspec.Raw(_encode(run))))
        except (OverflowError, UnicodeError):
            return  # halves of characters, numbers of any length
        if len(content) > _MOST_BYTES_OF_RUN:
            return
        folder, own = self.path.parent, self.path.with_suffix(f".{os.getpid()}")  # others may be at the same run
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with atomic_file(own, is_durable=False) as file:
                file.write(hashlib.sha256(content).digest())
                file.write(content)
            own.replace(self.path)
            _prune(folder)
        except (OSError, DataprepError) as error:
            _log.warning("the report cannot be remembered in %s (%s); name another folder with --cache", folder, error)


def encode_budget(budget: Budget | None) -> msgspec.Raw:
    """Return a budget as it is stored."""
    return msgspec.Raw(_encode(budget))


def _option_files(config: LintConfig) -> list[str]:
    """Return the files that options name and that decide what lint says."""
    files = [] if config.baseline is None else [str(config.baseline)]
    if config.model is not None:
        with os.scandir(config.model) as entries:
            files += sorted(entry.path for entry in entries if entry.is_file())
    return files


def _own_state() -> list[object]:
    """Return what changes with this program: its files, and the folders in which packages are installed."""
    own = Path(own_file).parent
    state: list[object] = []
    for folder in (own, own.parent / "schemas"):
        state += _states_below(str(folder))
    for name in sys.path:
        if name.rstrip("/").endswith("-packages"):
            with suppress(OSError):
                state.append((name, os.stat(name).st_mtime_ns))  # noqa: PTH116 - one of many strings
    return state


def _states_below(folder: str) -> list[object]:
    states: list[object] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if not entry.is_dir(follow_symlinks=False):
                states.append((entry.path, state_of(entry.stat())))
            elif entry.name != "__pycache__":
                states += _states_below(entry.path)
    return states


def _prune(folder: Path) -> None:
    """Remove the runs that were asked for least recently, and what killed runs left behind."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):  # another run may have removed it
                facts = entry.stat(follow_symlinks=False)
                if entry.name.endswith(TEMPORARY_SUFFIX) and time.time() - facts.st_mtime < 3600:
                    continue  # one that is being written
                found.append((facts.st_mtime_ns, facts.st_size, entry.path))
    used = 0
    for number, (_, size, path) in enumerate(sorted(found, reverse=True)):
        used += size
        if number >= _MOST_RUNS or used > _MOST_BYTES:
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - one of many strings
