"""Spans agree, token by token, with the labels that conversion writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from dataprep.encode import make_encoder
from dataprep.findings import Location
from dataprep.media.index import MediaIndex
from dataprep.rules.base import RuleContext
from dataprep.rules.runner import FOR_CONVERSION, RowChecker
from dataprep.rules.spans import spans_of
from dataprep.sources import RawRow
from dataprep.templates import IGNORE_INDEX

ROWS = [
    {"query": "q", "response": "a long answer"},
    {"query": "q3", "response": "r3", "history": [["q1", "r1 and more"], ["<image>q2", "r2"]], "images": ["a.png"]},
    {"query": "<image> and <image>", "response": "r", "system": "", "images": ["a.png", "b.png"]},
]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("tokenizer", ["tokenizer_bos", "tokenizer_nobos"])
def test_spans_are_where_the_labels_are(goldens: Path, tmp_path: Path, row: dict[str, object], tokenizer: str) -> None:
    for name, size in (("a.png", (40, 30)), ("b.png", (20, 20))):
        Image.new("RGB", size).save(tmp_path / name)
    encoder = make_encoder("internvl2-8b", goldens / tokenizer)
    checker = RowChecker(
        RuleContext(max_length=100_000), media=MediaIndex(tmp_path), levels=FOR_CONVERSION, encoder=encoder
    )
    checked = checker.check(RawRow(Location("r", 1), json.dumps(row).encode()))
    assert checked.layout is not None
    (sample,) = encoder.encode([checked.layout])
    spans = list(spans_of(checked))
    assert spans[-1].stop == len(sample.input_ids) == checked.num_tokens
    assert sum(span.num_trained for span in spans) == sample.num_trained_tokens
    for span in spans:
        labels = sample.labels[span.start : span.stop]
        assert (labels[: span.num_trained] != IGNORE_INDEX).all()
        assert (labels[span.num_trained :] == IGNORE_INDEX).all()
        is_context = sample.input_ids[span.start : span.stop] == encoder.tokenizer.context_id
        assert is_context.all() if span.images else not is_context.any()
