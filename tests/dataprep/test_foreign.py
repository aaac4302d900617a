"""Files that hold no rows are told from files with bad rows, and never the other way round."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.foreign import describe_foreign_data
from dataprep.parsing import parse_row
from dataprep.sources import read_rows


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PAR1\x15\x04", "Parquet"),
        (b"ARROW1\x00\x00", "Arrow"),
        (b"PK\x03\x04", "ZIP"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"SQLite format 3\x00", "SQLite"),
        ('{"query": "q"}\n'.encode("utf-16"), "UTF-16"),
        ('{"query": "q"}\n'.encode("utf-16-le"), "UTF-16"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "LFS"),
        (b"<?xml version='1.0'?>\n<rows/>\n", "XML"),
        (b'"query","response"\n"What, now?",yes\n', "CSV"),
        (b"query\tresponse\nq\tr\n", "CSV"),
        (json.dumps({"query": "q", "response": "r"}, indent=2).encode(), "one JSON object over many lines"),
        (json.dumps({"images": [{"id": 1}], "annotations": []}, indent=1).encode(), "one JSON object over many lines"),
    ],
)
def test_a_file_without_rows_is_one_finding(tmp_path: Path, data: bytes, words: str) -> None:
    for name in ("a.jsonl", "a.json"):
        path = tmp_path / name
        path.write_bytes(data)
        (row,) = read_rows(str(path))
        problem = parse_row(row)[1]
        assert problem is not None
        assert (problem.kind, words in problem.detail) == ("not-rows", True), problem.detail
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(data))
    assert len(list(read_rows(str(packed)))) == 1


@pytest.mark.parametrize(
    "lines",
    [
        ['{"query": "q", "response": "r"}'],
        ["query,response", '{"query": "q"}'],
        ["{", '{"query": "q"}'],
        ['{"query": "cut,', '{"query": "q"}'],
        ["{cut", "{cut too"],
        ["a text, with a comma"],
        ["{", ""],
        ["[1, 2]", "[3, 4]"],
    ],
)
def test_bad_rows_stay_rows(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    rows = list(read_rows(str(path)))
    assert [row.text.decode() for row in rows] == [line for line in lines if line]
    assert not any(row.foreign for row in rows)


@given(st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.integers())), st.sampled_from([b"", b"{", b"\n"]))
def test_a_row_is_never_foreign(row: dict[str, object], behind: bytes) -> None:
    for ascii_only in (True, False):
        line = json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") + b"\n"
        assert describe_foreign_data(line, behind) is None
