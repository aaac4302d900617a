"""What a worker of the plan stage needs once: checkers, tokenizer, the reader of plain rows, older shards."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dataprep import __version__
from dataprep.config import ConvertConfig
from dataprep.encode import Encoder
from dataprep.fixing import mend_checked, safe_fixes
from dataprep.media_placing import MediaKey
from dataprep.old_samples import OldSamples
from dataprep.parts import Chunk
from dataprep.plain.reader import PlainReader, make_reader
from dataprep.records import hash_row, hash_text
from dataprep.rules.base import CheckedRow
from dataprep.rules.runner import FOR_CONVERSION, CheckerRecipe, CheckerSet
from dataprep.shards.samples import Media
from dataprep.sources import RawRow
from dataprep.taking_over import Taken, Taker


@dataclass(frozen=True, slots=True)
class PlanRecipe:
    """Makes a planner; picklable.

    Attributes:
        config: The options.
        folder: Where parts are kept.
        media_base: Folder that stored media paths are relative to.
        old: Shard directory that unchanged rows are taken over from; None encodes all rows.
    """

    config: ConvertConfig
    folder: Path
    media_base: Path
    old: Path | None = None

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
        old = None if recipe.old is None else OldSamples(recipe.old)
        self.taker = None if old is None else Taker(old, self.encoder, exif=self.config.exif)

    def check(self, rows: Sequence[RawRow]) -> Sequence[CheckedRow | Taken]:
        """Check rows of one data file: those that are plain fast, the others by the rules."""
        path = rows[0].location.path
        checker = self.checkers.for_file(path)
        if path not in self._readers:
            self._readers[path] = make_reader(path, checker)
        reader = self._readers[path]
        if self.taker is not None:
            return self.taker.check(rows, checker, reader)
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
        plain = replace(self.config.on_one_machine(), on_bad="error", max_bad_ratio=0.0, val=(), cache=None)
        plain = replace(plain, no_cache=False, media_timeout=60, drop_duplicates=False, mix=())
        options = asdict(plain)
        facts = [__version__, self.encoder.tokenizer.fingerprint, str(self.encoder.settings.tiles), str(options)]
        if self.taker is not None:
            facts.append(self.taker.old.checksum)
        digest = hashlib.sha256("\0".join([*facts, chunk.source, *chunk.splits]).encode())
        for row in chunk.rows:
            digest.update(f"\0{row.location.line}\0{row.starts_with_bom}\0".encode() + row.text)
        return digest.hexdigest()


def hash_checked(row: CheckedRow) -> bytes:
    """Return the hash of a row's content, of its text where it could not be parsed."""
    return row.row_hash or (hash_row(row.value) if row.value is not None else hash_text(row.raw.text))
