"""The plan stage of a conversion: check, encode and hash one chunk of rows, and keep the result as a part.

A part is a pure function of its rows, the media behind them and the options; see :mod:`dataprep.parts`.
"""

from __future__ import annotations

from dataprep.part_builder import PartBuilder
from dataprep.parts import NO_SPLIT, Chunk, Part, load_part, store_part
from dataprep.plain.acceptance import without_collections
from dataprep.planner import Planner
from dataprep.taking_over import Taken


def plan_chunk(planner: Planner, chunk: Chunk) -> Part:
    """Plan one chunk, or take over the part that an earlier run made of the same rows."""
    name = f"part-{chunk.number:06d}"
    key = planner.part_key(chunk)
    summary = planner.recipe.folder / f"{name}.json"
    stored = load_part(summary, key)
    if stored is not None:
        return stored
    builder = PartBuilder(planner, chunk, name)
    with without_collections():
        drawn = [row for row, split in zip(chunk.rows, chunk.splits, strict=True) if split != NO_SPLIT]
        checked = iter(planner.check(drawn) if drawn else ())
        for raw, split in zip(chunk.rows, chunk.splits, strict=True):
            if split == NO_SPLIT:
                builder.leave_out(raw)
                continue
            row = next(checked)
            if isinstance(row, Taken):
                builder.take_over(row, split)
                continue
            builder.note_media(*row.images, *row.videos)
            builder.add(*(planner.repair(row) if planner.config.fix else (row, ())), split)
        part = builder.write()
    planner.checkers.remember()
    if not builder.lacks_media:  # media that could not be used may be mended before the next run
        store_part(summary, part, key=key, media_paths=builder.media_paths, files=builder.files)
    return part
