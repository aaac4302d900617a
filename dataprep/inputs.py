"""The data files of a conversion: named, perhaps sampled, cut into chunks, and what the manifest says of each.

``FILE#N`` takes N rows of a file, those whose text has the smallest hashes, so that the choice depends neither on the
order of the rows nor on chance, and a row that is added puts at most one other out. Where N is more than there are,
all rows are taken as often as they fit, and then the rest. A weight is the same with N = weight x rows.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataprep.blocks import cut_chunks
from dataprep.config import ConvertConfig
from dataprep.data_files import expand_paths
from dataprep.errors import ConfigError, SourceError
from dataprep.parts import NO_SPLIT, TRAIN_SPLIT, VAL_SPLIT, Chunk
from dataprep.sampling import text_key
from dataprep.shards.manifest import SourceEntry
from dataprep.sources import RawRow, read_rows
from dataprep.splitting import draw_splits

Progress = Callable[[str, int, int], None]
"""Called with the stage, what is done of it, and how much there is (bytes, or files)."""
_SAMPLED = re.compile(r"(?P<path>.+)#(?P<size>[0-9]+)")


@dataclass(frozen=True, slots=True)
class Source:
    """A data file of a conversion.

    Attributes:
        path: Where it lies.
        name: Its path relative to the source root.
        is_val: Whether it was given for the split ``val``.
        sample: Rows to take; None takes all.
        weight: Rows to take as a multiple of those that there are; None takes all.
    """

    path: str
    name: str
    is_val: bool
    sample: int | None = None
    weight: float | None = None


def list_sources(paths: Sequence[str], config: ConvertConfig) -> tuple[list[Source], Path]:
    """Return the data files behind what was named, and the folder that their names are relative to.

    Args:
        paths: Data files, ``FILE#N`` for some rows of one, or folders.
        config: Names the files of the split ``val`` and the weights.

    Raises:
        ConfigError: If a file cannot be converted, or is named twice.
        SourceError: If there is no such file.
    """
    weights = {os.path.realpath(path): (path, weight) for path, weight in config.mix}
    known = {os.path.realpath(path) for path, _ in map(split_sample, paths)}
    mixed = [path for place, (path, _) in weights.items() if place not in known]
    named = [(path, size, False) for path, size in _expand([*paths, *mixed])]
    named += [(path, size, True) for path, size in _expand(config.val)]
    if not named:
        raise ConfigError("no data file is named; name one, or several, or give --mix")
    for path, _, _ in named:
        if path == "-":
            raise ConfigError(
                "standard input cannot be converted, because a run must be able to continue; write a file"
            )
        if not Path(path).is_file():
            raise ConfigError(f"{path} is a pipe, which cannot be read twice, as a conversion does; write a file")
    root = common_folder([Path(path).parent for path, _, _ in named])
    sources = []
    for path, size, is_val in named:
        _, weight = weights.get(os.path.realpath(path), ("", None))
        if weight is not None and size is not None:
            raise ConfigError(f"{path} has both a number of rows (#{size}) and a weight ({weight:g}); give one of them")
        sources.append(Source(path, _relative_to(root, Path(path)), is_val, size, weight))
    twice = [name for name, count in Counter(source.name for source in sources).items() if count > 1]
    if twice:
        raise ConfigError(f"{twice[0]} is named twice; name each data file once, for training or with --val")
    return sources, root


def split_sample(text: str) -> tuple[str, int | None]:
    """Return path and number of rows of ``FILE#N``; a file that really has such a name is that file.

    Raises:
        ConfigError: If N is 0.
    """
    match = _SAMPLED.fullmatch(text)
    if match is None or os.path.lexists(text):
        return text, None
    if int(match["size"]) == 0:
        raise ConfigError(f"{text} takes 0 rows; leave the file out, or take at least 1")
    return match["path"], int(match["size"])


def _expand(texts: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    for text in texts:
        path, size = split_sample(text)
        if size is not None and Path(path).is_dir():
            raise ConfigError(f"{path} is a folder, and #{size} takes rows of one file; name the files in it")
        for file in expand_paths([path]):
            yield file, size


def _relative_to(root: Path, path: Path) -> str:
    # The folder's real place, as that of the root: the same file by another way in is the same file.
    return Path(os.path.relpath(path.parent.resolve() / path.name, root)).as_posix()


def common_folder(folders: Sequence[Path]) -> Path:
    """Return the folder that all folders lie in."""
    return Path(os.path.commonpath([folder.resolve() for folder in folders]))


def draw(sources: Sequence[Source], config: ConvertConfig, progress: Progress) -> Iterator[str]:
    """Yield the split of each row of the sources that were not given for validation."""
    if not config.parse_splits():
        return repeat(TRAIN_SPLIT)
    paths = [source.path for source in sources if not source.is_val]
    val_paths = [source.path for source in sources if source.is_val]
    total = sum(Path(source.path).stat().st_size for source in sources)
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress("media for the split", min(done, total), total)

    return iter(draw_splits(paths, config, val_paths=val_paths, progress=count))


class SourceReader:
    """Cuts the sources into chunks and takes down what the manifest says about each of them."""

    def __init__(self, sources: Sequence[Source], draw: Callable[[], Iterator[str]], progress: Progress) -> None:
        """Begin.

        Args:
            sources: The data files.
            draw: Gives the split of each row of those that were not given for validation.
            progress: Told how many bytes have been read.
        """
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
            _refuse_changed(source, before, _stamp(source.path))
            num_rows = 0
            for rows, splits in self._cut(source):
                yield Chunk(number, source.name, tuple(rows), tuple(splits))
                number += 1
                num_rows += len(rows)
                done += sum(len(row.text) + 1 for row in rows)
                self._progress("rows", min(done, total), total)
            digest, size = hash_source(source.path)
            _refuse_changed(source, before, (size, _stamp(source.path)[1]))
            self.entries.append(
                SourceEntry(
                    path=source.name,
                    sha256=digest,
                    bytes=size,
                    rows=num_rows,
                    split=VAL_SPLIT if source.is_val else TRAIN_SPLIT,
                    sample=source.sample,
                    weight=source.weight,
                )
            )

    def _cut(self, source: Source) -> Iterator[tuple[list[RawRow], list[str]]]:
        """Yield the rows of a source, chunk by chunk and as often as it is wanted, with their splits."""
        splits = repeat(VAL_SPLIT) if source.is_val else self._drawn
        if source.sample is None and source.weight is None:
            for rows in cut_chunks(read_rows(source.path)):
                yield rows, list(islice(splits, len(rows)))
            return
        num_passes, is_drawn = _draw_rows(source)
        of_rows = list(islice(splits, len(is_drawn)))
        for _ in range(num_passes):
            yield from _with_splits(cut_chunks(read_rows(source.path)), of_rows)
        if num_passes == 0:
            chosen = [split if d else NO_SPLIT for split, d in zip(of_rows, is_drawn.tolist(), strict=True)]
            yield from _with_splits(cut_chunks(read_rows(source.path)), chosen)
        elif is_drawn.any():  # the rows that are not drawn once more have their lines in the ledger already
            again = (row for row, d in zip(read_rows(source.path), is_drawn.tolist(), strict=False) if d)
            yield from _with_splits(cut_chunks(again), [of_rows[i] for i in np.flatnonzero(is_drawn).tolist()])


def _refuse_changed(source: Source, before: tuple[int, int], after: tuple[int, int]) -> None:
    if before != after:
        raise SourceError(f"{source.path} changed while it was read; run the command again")


def _stamp(path: str) -> tuple[int, int]:
    """Return size and modification time of a data file."""
    facts = Path(path).stat()
    return facts.st_size, facts.st_mtime_ns


def _with_splits(chunks: Iterator[list[RawRow]], splits: Sequence[str]) -> Iterator[tuple[list[RawRow], list[str]]]:
    rest = iter(splits)
    for rows in chunks:
        yield rows, list(islice(rest, len(rows)))


def _draw_rows(source: Source) -> tuple[int, NDArray[np.bool_]]:
    """Return how often all rows of a source are taken, and which of them once more."""
    keys = np.fromiter((int.from_bytes(text_key(row.text), "big") for row in read_rows(source.path)), np.uint64)
    num_rows = len(keys)
    wanted = source.sample if source.sample is not None else round((source.weight or 0) * num_rows)
    num_passes, num_more = divmod(wanted, num_rows) if num_rows else (0, 0)
    is_drawn = np.zeros(num_rows, dtype=bool)
    is_drawn[np.argsort(keys, kind="stable")[:num_more]] = True  # of equal rows the earlier one
    return num_passes, is_drawn


def are_finished(sources: Sequence[Source], entries: Sequence[SourceEntry]) -> bool:
    """Whether entries of a manifest are about just these data files, as they are now."""
    told: Mapping[str, SourceEntry] = {entry.path: entry for entry in entries}
    if [source.name for source in sources] != [entry.path for entry in entries]:
        return False
    asked = all((told[s.name].sample, told[s.name].weight) == (s.sample, s.weight) for s in sources)
    return asked and all((told[s.name].sha256, told[s.name].bytes) == hash_source(s.path) for s in sources)


def hash_source(path: str) -> tuple[str, int]:
    """Return SHA-256 and size of a data file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()
