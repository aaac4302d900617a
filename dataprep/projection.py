"""How large shards will be, known before the first of them is written; a disk without room for them is refused then."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dataprep.assembly import AssemblyState, ShardPlan
from dataprep.errors import ShardError
from dataprep.parts import Part
from dataprep.wording import counted, size_of

_BYTES_PER_TOKEN = 8  # an id and a label
_BYTES_PER_MEDIUM = 100  # its columns but for its bytes
_BYTES_PER_LEDGER_ROW = 100


@dataclass(frozen=True, slots=True)
class ProjectedSize:
    """What shards will take on the disk.

    Attributes:
        samples: Bytes of the samples shards; an estimate.
        media: Bytes of the media shards, all but exact.
        other: Bytes of ledger and rejects; an estimate.
        shards: Number of shards of both kinds.
    """

    samples: int
    media: int
    other: int
    shards: int

    @property
    def total(self) -> int:
        """All bytes."""
        return self.samples + self.media + self.other

    def __str__(self) -> str:
        kinds = f"{size_of(self.samples)} of samples and {size_of(self.media)} of media"
        return f"the shards will take about {size_of(self.total)}: {kinds} in {counted(self.shards, 'shard')}"


def project_size(
    state: AssemblyState, plan: ShardPlan, parts: Sequence[Part], *, tokens_per_tile: int
) -> ProjectedSize:
    """Return how large the shards of a plan will be.

    Args:
        state: Says where the parts lie.
        plan: What goes into which shard.
        parts: The parts.
        tokens_per_tile: Context tokens of a tile, which parts hold as one number and shards one by one.
    """
    samples = rejects = 0
    for part in parts:
        tiles = sum(counts.tiles for counts in part.splits.values())
        samples += _size(state.parts / f"{part.name}.samples") + _BYTES_PER_TOKEN * tiles * tokens_per_tile
        rejects += _size(state.parts / f"{part.name}.rejects")
    named = {part.name: part for part in parts}
    media = sum(
        named[name].media_bytes[row] + _BYTES_PER_MEDIUM
        for task in plan.media
        for name, rows in task.pieces
        for row in rows
    )
    other = rejects + _BYTES_PER_LEDGER_ROW * sum(part.num_rows for part in parts)
    return ProjectedSize(samples, media, other, len(plan.media) + len(plan.samples))


def refuse_full_disk(folder: Path, size: ProjectedSize) -> None:
    """Refuse to begin what the disk of a folder has no room for.

    Raises:
        ShardError: If less is free there than the shards will take.
    """
    try:
        free = shutil.disk_usage(folder).free
    except FileNotFoundError:
        return  # the folder was removed meanwhile, which is said where it is written to
    if size.total > free:
        raise ShardError(
            f"{size}, and {size_of(free)} are free at {folder}; free space there and run the command again, "
            "which continues, or choose another --out"
        )


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
