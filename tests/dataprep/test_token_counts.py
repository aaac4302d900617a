"""The tokens of data files, counted before conversion, are those of the shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep import convert
from dataprep.config import RowConfig
from dataprep.diffing import diff
from dataprep.errors import ConfigError
from tests.dataprep.conversions import make_options, text_row, write_png, write_rows


def test_tokens_of_data_files_are_counted_for_a_model(tmp_path: Path) -> None:
    rows = [text_row(number) for number in range(10)]
    write_png(tmp_path / "a.png", (1, 2, 3))
    image = {"query": "<image>What?", "response": "A thing.", "images": ["a.png"], "history": [["q", "a"]]}
    a = write_rows(tmp_path / "a.jsonl", [*rows, image, "no json"])
    b = write_rows(tmp_path / "b.jsonl", [*rows[1:], image | {"response": "Another thing."}])
    for name, path in (("one", a), ("two", b)):
        convert([path], tmp_path / name, make_options(on_bad="skip", max_bad_ratio=1.0))
    shards = diff(str(tmp_path / "one"), str(tmp_path / "two"))
    files = diff(a, b, make_options(max_length=3))
    assert files.totals == shards.totals
    assert files.removed.to_dicts() == shards.removed.to_dicts()
    assert files.changed["tokens"].to_list() == shards.changed["tokens"].to_list()
    mixed = diff(str(tmp_path / "one"), a, make_options(), jobs=2)
    assert mixed.is_empty
    assert mixed.totals[0] == mixed.totals[1]
    with pytest.raises(ConfigError, match="no model folder; add --model"):
        diff(a, b, RowConfig(model_type="internvl2-1b"))
