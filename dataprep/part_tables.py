"""The tables of a part, built column by column from the rows that were converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dataprep.encode import Encoder
from dataprep.layouts import Layout
from dataprep.parts import SplitCounts
from dataprep.rules.base import CheckedRow
from dataprep.shards.flat import batch_of_columns, id_lists, struct_lists
from dataprep.shards.format import SAMPLES_SCHEMA
from dataprep.token_columns import TokenColumns, join_rows

PART_SCHEMA = SAMPLES_SCHEMA.append(pa.field("taken", pa.int64(), nullable=False))
"""Samples of a part. ``taken`` is the number of the older sample that ids and labels are still to be taken from, -1 for
none; the others have each run of context tokens as one negative number."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A row that becomes a sample.

    Attributes:
        row: The row, measured.
        row_hash: Hash of its content.
        media: Media number within the part of each image and frame, in the order of the slots.
        split: Its split.
    """

    row: CheckedRow
    row_hash: bytes
    media: list[int]
    split: str

    @property
    def layout(self) -> Layout:
        """Its layout."""
        assert self.row.layout is not None
        return self.row.layout


def samples_table(
    rows: Sequence[Converted], encoder: Encoder, source: str
) -> tuple[pa.RecordBatch, dict[str, SplitCounts]]:
    """Return samples of a part that were encoded, and what they count by split.

    Args:
        rows: The rows, at least one.
        encoder: Made their ids.
        source: The data file.

    Raises:
        ShardError: When a value does not fit its column.
    """
    settings = encoder.settings
    tokens = join_rows(
        [(entry.layout, entry.row.segments) for entry in rows],
        tokenizer=encoder.tokenizer,
        template=settings.template,
        tokens_per_tile=settings.tiles.tokens_per_tile,
        loss_mask=settings.loss_mask,
    )
    layouts = [entry.layout for entry in rows]
    batch = batch_of_columns(
        PART_SCHEMA,
        {
            "input_ids": id_lists(tokens.offsets, tokens.ids),
            "labels": id_lists(tokens.offsets, tokens.labels),
            "length": tokens.lengths.astype(np.int32),
            "num_trained_tokens": tokens.trained.astype(np.int32),
            "images": _image_lists(rows, layouts),
            "prompt": [layout.prompt for layout in layouts],
            "response": [layout.response for layout in layouts],
            "boxes": _box_lists(layouts),
            "source_file": [source] * len(rows),
            "source_line": [entry.row.raw.location.line for entry in rows],
            "row_hash": [entry.row_hash for entry in rows],
            "split": [entry.split for entry in rows],
            "taken": np.full(len(rows), -1, dtype=np.int64),
        },
    )
    return batch, _count_splits(rows, layouts, tokens)


def _image_lists(rows: Sequence[Converted], layouts: Sequence[Layout]) -> pa.Array:
    placed = [image for layout in layouts for image in layout.images]
    is_frame = [image.kind == "frame" for image in placed]
    columns: dict[str, list[Any]] = {
        "media": [number for entry in rows for number in entry.media],
        "width": [image.width for image in placed],
        "height": [image.height for image in placed],
        "columns": [image.grid.columns for image in placed],
        "rows": [image.grid.rows for image in placed],
        "tiles": [image.grid.tiles for image in placed],
        "kind": [image.kind for image in placed],
        "video": [image.source if frame else -1 for image, frame in zip(placed, is_frame, strict=True)],
        "frame_index": [image.frame_index for image in placed],
    }
    return struct_lists("images", [len(layout.images) for layout in layouts], columns)


def _box_lists(layouts: Sequence[Layout]) -> pa.Array:
    boxes = [box for layout in layouts for box in layout.boxes]
    columns: dict[str, list[Any]] = {
        "caption": [box.caption for box in boxes],
        "x1": [box.box[0] for box in boxes],
        "y1": [box.box[1] for box in boxes],
        "x2": [box.box[2] for box in boxes],
        "y2": [box.box[3] for box in boxes],
        "image": [box.image for box in boxes],
    }
    return struct_lists("boxes", [len(layout.boxes) for layout in layouts], columns)


def _count_splits(rows: Sequence[Converted], layouts: Sequence[Layout], tokens: TokenColumns) -> dict[str, SplitCounts]:
    counts: dict[str, SplitCounts] = {}
    lengths, trained = tokens.lengths.tolist(), tokens.trained.tolist()
    for split in dict.fromkeys(entry.split for entry in rows):
        chosen = [index for index, entry in enumerate(rows) if entry.split == split]
        counts[split] = SplitCounts(
            rows=len(chosen),
            tokens=sum(lengths[index] for index in chosen),
            trained_tokens=sum(trained[index] for index in chosen),
            tiles=sum(image.grid.tiles for index in chosen for image in layouts[index].images),
        )
    return counts
