"""Elements that are cut off many at once are those that are cut off one by one, at the same places."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from dataprep.elements import cut_elements
from dataprep.sources import RawRow, read_rows
from tests.dataprep.plain.drawing import Draw


def one_by_one(path: Path) -> list[RawRow]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataprep.sources.cut_elements", lambda text: ([], 0))
        return list(read_rows(str(path)))


@pytest.mark.parametrize("seed", range(60))
def test_drawn_arrays(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, rng = Draw(seed), random.Random(seed)
    monkeypatch.setattr("dataprep.sources._CHUNK_BYTES", rng.choice((200, 3_000, 1 << 20)))
    monkeypatch.setattr("dataprep.sources._ELEMENTS_ALONE", rng.choice((1, 5, 200)))
    indent = rng.choice((None, None, 1, 4))
    elements = [json.dumps(draw.row(), indent=indent, ensure_ascii=draw.often(0.5)).encode() for _ in range(40)]
    if rng.random() < 0.5:
        at = rng.randrange(len(elements))
        elements[at] = rng.choice((elements[at][:-2], b"17", b'"x"', b"null", b"[]", b"{}", b"{", b"}", b'{"a"', b""))
    separator = rng.choice((b",", b", ", b",\n", b"\n ,\r\n  "))
    path = tmp_path / "rows.json"
    path.write_bytes(b"[\n" + separator.join(elements) + rng.choice((b"]", b"\n]\n", b"", b",]")))
    assert list(read_rows(str(path))) == one_by_one(path)


def test_most_is_cut_at_once() -> None:
    rows = [{"query": "},{", "objects": [{"a": 1}, {"b": 2}]} for _ in range(100)]
    text = json.dumps(rows)[1:].encode()
    places, following = cut_elements(text)
    assert [json.loads(text[start:end]) for start, end in places] == rows[:99]
    assert text[following:] == json.dumps(rows[99]).encode() + b"]"


@pytest.mark.parametrize("text", [b"", b"{", b'{"a":1}', b'{"a":1}]', b'{"a":1},', b'{"a":1},[2]', b'{"a":x},{"b":1}'])
def test_nothing_is_cut_where_nothing_is_certain(text: bytes) -> None:
    assert cut_elements(text) == ([], 0)
