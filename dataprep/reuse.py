"""What a conversion takes over from older shards: their files, checked, and whether anything changed at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from dataprep import __version__
from dataprep.assembly import AssemblyState, ShardPlan, join_rejects, read_part
from dataprep.config import ConvertConfig
from dataprep.encode import Encoder
from dataprep.errors import ConfigError
from dataprep.fingerprints import fingerprints
from dataprep.parts import Part
from dataprep.shards.arrow_file import ArrowTable, check_hash
from dataprep.shards.format import LEDGER_NAME, LEDGER_SCHEMA, MEDIA_SCHEMA, REJECTS_NAME
from dataprep.shards.manifest import Manifest, SourceEntry, read_manifest

RECORDED = (
    ("model_type", "model_type", "--for"),
    ("max_length", "max_length", "--max-length"),
    ("truncation", "truncation", "--truncation"),
    ("box_style", "box_style", "--box-style"),
    ("exif", "exif", "--exif"),
    ("media_mode", "media", "--media"),
    ("system", "system", "--system"),
    ("video_frames", "video_frames", "--video-frames"),
    ("special_text", "special_text", "--special-text"),
    ("loss_mask", "loss_mask", "--loss-mask"),
    ("missing_image_tag", "missing_image_tag", "--missing-image-tag"),
)
"""Options that the manifest records: its member, the field of the configuration, and the name of the option."""


_TOLD = ["source_file", "source_line", "row_hash", "outcome", "codes", "split"]
_OF_MEDIA = [name for name in MEDIA_SCHEMA.names if name != "bytes"]


@dataclass(slots=True)
class Reuse:
    """Older shards to take rows over from, and what came of it.

    Attributes:
        folder: The shard directory.
        manifest: Its manifest.
        num_taken: Rows whose sample was taken over.
        num_encoded: Rows that were tokenized.
        is_unchanged: Whether the new shards would be the older ones; then none were written.
    """

    folder: Path
    manifest: Manifest = field(init=False)
    num_taken: int = 0
    num_encoded: int = 0
    is_unchanged: bool = False

    def __post_init__(self) -> None:
        self.manifest = read_manifest(self.folder)

    @property
    def is_of_this_release(self) -> bool:
        """Whether rows can be taken over: what another release made of a row may differ."""
        return self.manifest.tool_version == __version__

    def files_to_check(self) -> list[tuple[Path, str]]:
        """Return path and SHA-256 of every file that rows are taken from."""
        names = [shard.file for shard in self.manifest.sample_shards] + [LEDGER_NAME]
        files = self.manifest.all_files()
        return [(self.folder / name, files[name].sha256) for name in names]

    def compare(
        self,
        parts: Sequence[Part],
        plan: ShardPlan,
        state: AssemblyState,
        sources: tuple[Path, Sequence[SourceEntry]],
    ) -> None:
        """Count what was taken over, and tell whether anything changed."""
        self.num_taken = sum(part.num_taken for part in parts)
        self.num_encoded = sum(part.num_encoded for part in parts)
        old = self.manifest
        num_kept = self.num_taken - sum(part.num_duplicates for part in parts)
        self.is_unchanged = (
            self.is_of_this_release
            and tuple(sources[1]) == old.sources
            and sources[0].as_posix() == old.source_root
            and num_kept == old.ledger.converted == sum(c.rows for c in plan.shard_counts)
            and self._is_same_ledger(parts, state)
            and self._are_same_media(plan, state)
            and join_rejects(state.parts / REJECTS_NAME, state, parts).sha256 == old.files[REJECTS_NAME].sha256
        )

    def _is_same_ledger(self, parts: Sequence[Part], state: AssemblyState) -> bool:
        table = ArrowTable(self.folder / LEDGER_NAME, LEDGER_SCHEMA, self.manifest.ledger.rows_in)
        old = pa.Table.from_batches(list(table.batches()), LEDGER_SCHEMA).select(_TOLD)
        new = [read_part(state.parts / f"{part.name}.ledger").select(_TOLD) for part in parts]
        return bool(pa.concat_tables(new).equals(old))

    def _are_same_media(self, plan: ShardPlan, state: AssemblyState) -> bool:
        """Compare the media shard by shard, without their bytes: of those the hashes are compared."""
        if [sum(len(rows) for _, rows in task.pieces) for task in plan.media] != [
            shard.rows for shard in self.manifest.media_shards
        ]:
            return False
        for task, shard in zip(plan.media, self.manifest.media_shards, strict=True):
            batches = list(ArrowTable(self.folder / shard.file, MEDIA_SCHEMA, shard.rows).batches())
            old = pa.Table.from_batches(batches, MEDIA_SCHEMA).select(_OF_MEDIA)
            new = [read_part(state.parts / f"{name}.media").select(_OF_MEDIA).take(rows) for name, rows in task.pieces]
            if not pa.concat_tables(new).equals(old):
                return False
        return True


def check_old_file(planner: object, file: tuple[Path, str]) -> None:
    """Check that a file to take rows from is what was written; a task of the pool.

    Raises:
        ShardError: If it is not.
    """
    check_hash(*file)


def refuse_other_options(manifest: Manifest, config: ConvertConfig, encoder: Encoder, out: Path) -> None:
    """Refuse options that are not those that shards were made with.

    Raises:
        ConfigError: With each option that differs, in words.
    """
    differences = [
        f"{option} is {getattr(config, name)!r}, they were made with {getattr(manifest, member)!r}"
        for member, name, option in RECORDED
        if getattr(config, name) != getattr(manifest, member)
    ]
    if encoder.settings.max_num != manifest.max_num:
        differences.append(f"--max-num is {encoder.settings.max_num}, they were made with {manifest.max_num}")
    now, then = fingerprints(encoder), manifest.fingerprints
    if not differences and now.all != then.all:
        parts = [name for name in ("tokenizer", "template", "tiling", "boxes", "labels", "system")
                 if getattr(now, name) != getattr(then, name)]  # fmt: skip
        differences.append(f"the {' and '.join(parts)} of --model {config.model} differ from theirs")
    of_files = {source.split for source in manifest.sources}
    drawn = [name for name in manifest.splits if name != "train" and name not in of_files]
    if drawn and config.split is None:
        differences.append(
            f"they hold the drawn split {drawn[0]!r}; repeat its --split, such as --split {drawn[0]}=0.02"
        )
    if differences:
        raise ConfigError(
            f"{out} cannot be updated with other options: {'; '.join(differences)}; "
            "leave such options out, or convert into a new --out"
        )
