"""Rows put together in bulk are those put together one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.layouts import Layout, PlacedImage
from dataprep.templates import IGNORE_INDEX, TEMPLATES, Part, Slot, Text, render
from dataprep.tiling import TileGrid
from dataprep.token_columns import expand_runs, join_rows
from dataprep.tokenization import assemble, load_tokenizer, segment_texts

GOLDENS = Path(__file__).resolve().parent.parent / "fixtures" / "goldens"
TOKENIZERS = [load_tokenizer(GOLDENS / name) for name in ("tokenizer_bos", "tokenizer_nobos")]
TEMPLATE = TEMPLATES["internvl2"]


def layout_of(turns: list[tuple[str, str, int]]) -> Layout:
    images: list[PlacedImage] = []
    placed: list[tuple[list[Part], list[Part]]] = []
    for query, answer, tiles in turns:
        parts: list[Part] = [Text(query)]
        if tiles:
            parts.append(Slot(len(images)))
            images.append(PlacedImage("image", len(images), -1, 9, 9, TileGrid(1, 1, tiles)))
        placed.append((parts, [Text(answer, is_trained=True)]))
    return Layout(tuple(render(TEMPLATE, system="s", turns=placed)), tuple(images), (), "", "")


turns = st.lists(st.tuples(st.text("ab<", max_size=4), st.text("xy", min_size=1, max_size=4), st.integers(0, 3)))


@given(rows=st.lists(turns.filter(bool), max_size=5), number=st.integers(0, 1))
@settings(max_examples=100, deadline=None)
def test_bulk_is_one_by_one(rows: list[list[tuple[str, str, int]]], number: int) -> None:
    tokenizer = TOKENIZERS[number]
    layouts = [layout_of(row) for row in rows]
    segments = [tokenizer.encode_many(segment_texts(layout.parts)) for layout in layouts]
    pairs = list(zip(layouts, segments, strict=True))
    columns = join_rows(pairs, tokenizer=tokenizer, template=TEMPLATE, tokens_per_tile=5)
    ids, labels, offsets = expand_runs(columns.ids, columns.labels, columns.offsets, context_id=tokenizer.context_id)
    assert len(offsets) == len(rows) + 1
    for index, (layout, texts) in enumerate(pairs):
        slots = layout.slot_tokens(5)
        expected = assemble(layout.parts, texts, tokenizer=tokenizer, template=TEMPLATE, slot_tokens=slots)
        found = [array[offsets[index] : offsets[index + 1]] for array in (ids, labels)]
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
        assert columns.lengths[index] == len(expected[0])
        assert columns.trained[index] == np.count_nonzero(expected[1] != IGNORE_INDEX)
