"""Rows out of files: places, arrays cut anywhere, strict parsing, nothing lost."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep import sources
from dataprep.data_files import expand_paths
from dataprep.errors import SourceError
from dataprep.findings import Location
from dataprep.parsing import parse_row
from dataprep.sources import RawRow, read_rows


def write(path: Path, data: bytes | str) -> str:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def rows_of(path: str) -> list[tuple[int, bytes]]:
    return [(row.location.line, row.text) for row in read_rows(path)]


def kind_of(text: str | bytes) -> str | None:
    raw = RawRow(Location("x.jsonl", 1), text.encode() if isinstance(text, str) else text)
    problem = parse_row(raw)[1]
    return problem.kind if problem else None


def test_lines_keep_their_numbers_over_blank_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"a":1}\r\n\n  \n{"a":2}')
    assert rows_of(path) == [(1, b'{"a":1}'), (4, b'{"a":2}')]


def test_bom_is_noted_once_and_removed(tmp_path: Path) -> None:
    rows = list(read_rows(write(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a":1}\n{"a":2}\n')))
    assert [row.starts_with_bom for row in rows] == [True, False]
    assert rows[0].text == b'{"a":1}'


def test_array_elements_name_the_line_on_which_they_begin(tmp_path: Path) -> None:
    text = '\n[\n  {"a": "]},{"},\n  {"b":\n [1, 2]}, 3\n]\n'
    assert rows_of(write(tmp_path / "a.json", text)) == [
        (3, b'{"a": "]},{"}'),
        (4, b'{"b":\n [1, 2]}'),
        (5, b"3"),
    ]


@given(st.lists(st.dictionaries(st.text(), st.text() | st.lists(st.integers())), max_size=6), st.integers(1, 7))
def test_arrays_survive_any_chunk_size(tmp_path_factory: pytest.TempPathFactory, rows: list[object], size: int) -> None:
    path = write(tmp_path_factory.mktemp("rows") / "a.json", json.dumps(rows, indent=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_CHUNK_BYTES", size)
        assert [json.loads(row.text) for row in read_rows(path)] == rows


@pytest.mark.parametrize("cut", range(2, 30))
def test_a_cut_off_array_loses_no_byte(tmp_path: Path, cut: int) -> None:
    text = b'[{"a": "x"}, {"b": [1, 2]}, 7]'
    found = list(read_rows(write(tmp_path / "a.json", text[:cut])))
    whole = [row.text for row in found if not row.is_unclosed]
    assert whole == [b'{"a": "x"}', b'{"b": [1, 2]}'][: len(whole)]
    assert found[-1].is_unclosed
    assert parse_row(found[-1])[1] is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[}", ["}"]),
        ('[{"a": 1}}, {"b": 2}]', ['{"a": 1}}', '{"b": 2}']),
        ('[{"a": ]}, {"b": 2}]', ['{"a": ]}', '{"b": 2}']),
        ('[{"a": 1},, {"b": 2}]', ['{"a": 1}', "", '{"b": 2}']),
        ('[{"a": 1},]', ['{"a": 1}', ""]),
        ("[,]", ["", ""]),
        ("[\f]", [""]),
        ("[]", []),
    ],
)
@pytest.mark.timeout(20)
def test_broken_arrays_end_and_lose_no_row(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = list(read_rows(write(tmp_path / "a.json", text)))
    assert [row.text.decode() for row in found] == expected


@pytest.mark.timeout(60)
def test_an_array_on_one_line_is_read_in_linear_time_and_little_memory(tmp_path: Path) -> None:
    row = {"query": "q" * 200, "response": "r" * 200}
    path = write(tmp_path / "a.json", json.dumps([row] * 20_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_rows(path)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_blank_lines_before_the_first_row_are_skipped_in_any_file(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.json"):
        assert rows_of(write(tmp_path / name, b'\xef\xbb\xbf\n\n{"a":1}\n')) == [(3, b'{"a":1}')]
        assert rows_of(write(tmp_path / name, '\n\n[\n{"a":1}\n]\n')) == [(4, b'{"a":1}')]


def test_only_the_name_of_a_file_tells_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl.d").mkdir()
    assert rows_of(write(tmp_path / "x.jsonl.d" / "a.json", '[{"a":1}]')) == [(1, b'{"a":1}')]


@pytest.mark.timeout(20)
def test_a_key_that_occurs_twice_among_many_is_found_fast() -> None:
    pairs = ", ".join(f'"k{i}": 1' for i in range(60_000))
    assert kind_of("{" + pairs + ', "k59999": 2}') == "duplicate-key"


def test_data_behind_an_array_is_a_row(tmp_path: Path) -> None:
    found = rows_of(write(tmp_path / "a.json", '[{"a":1}]\n{"b":2}\n{"c":3}\n'))
    assert found == [(1, b'{"a":1}'), (2, b'{"b":2}\n{"c":3}\n')]


def test_compressed_files_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"a":1}\n{"a":2}\n'))
    assert rows_of(str(tmp_path / "a.jsonl.gz")) == [(1, b'{"a":1}'), (2, b'{"a":2}')]
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"a":1}\n' * 9)[:-9])
    with pytest.raises(SourceError, match="cannot be read"):
        rows_of(str(tmp_path / "b.jsonl.gz"))


def pack(data: bytes, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(data)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_damaged_compressed_files_are_errors_wherever_the_damage_is(tmp_path: Path, ending: str) -> None:
    data = b"".join(b'{"a": "%d"}\n' % (number**5) for number in range(300))
    packed = pack(data, ending)
    path = tmp_path / f"a.jsonl{ending}"
    path.write_bytes(packed + packed)
    assert len(rows_of(str(path))) == 600
    for cut in range(0, len(packed), 23):
        path.write_bytes(packed[:cut])
        with pytest.raises(SourceError, match="cannot be read"):
            rows_of(str(path))
    for place in range(0, len(packed), 23):
        path.write_bytes(packed[:place] + bytes([packed[place] ^ 0x41]) + packed[place + 1 :])
        with suppress(SourceError):
            rows_of(str(path))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"a": 1}', None),
        ('{"a": "\\ud83d\\ude00"}', None),
        ('{"a": 1', "invalid-json"),
        ('{"a": 1,}', "invalid-json"),
        ("{'a': 1}", "invalid-json"),
        (b'{"a": "\xff"}', "invalid-utf8"),
        ('{"a": 1, "a": 1}', "duplicate-key"),
        ('{"a": {"b": 1, "b": 2}}', "duplicate-key"),
        ('{"a": NaN}', "non-finite-number"),
        ('{"a": [-Infinity]}', "non-finite-number"),
        ('{"a": 1e999}', "non-finite-number"),
        ('{"a": ' + "9" * 5000 + "}", "non-finite-number"),
        ('{"a": "\\ud800"}', "lone-surrogate"),
        ("[" * 100_000, "nested-too-deep"),
        ('{"a": ' + "[" * 300 + "]" * 300 + "}", "nested-too-deep"),
        ("[1]", "not-an-object"),
        ('"x"', "not-an-object"),
        ("null", "not-an-object"),
    ],
)
def test_parsing_is_strict(text: str | bytes, kind: str | None) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "detail"),
    [(b"", "a comma in the array has no row beside it"), (b'{"a": "\n"}', "Invalid control character at column 8")],
)
def test_syntax_problems_are_told_in_one_sentence(text: bytes, detail: str) -> None:
    problem = parse_row(RawRow(Location("x.json", 1), text))[1]
    assert problem is not None
    assert problem.detail == detail


def test_a_truncated_last_line_says_so(tmp_path: Path) -> None:
    rows = list(read_rows(write(tmp_path / "a.jsonl", '{"query": "a"}\n{"query": "b", "resp')))
    problem = parse_row(rows[-1])[1]
    assert problem is not None
    assert "file ends in the middle" in problem.detail


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_and_verdicts(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    for name in ("a.jsonl", "a.json"):
        for raw in read_rows(write(tmp_path_factory.mktemp("rows") / name, data)):
            value, problem = parse_row(raw)
            assert (value is None) <= (problem is not None)


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        expand_paths([str(tmp_path / "none.jsonl")])
    with pytest.raises(SourceError, match="cannot be read"):
        expand_paths(["a" * 5000])
    with pytest.raises(SourceError, match="without"):
        expand_paths([str(tmp_path)])
    write(tmp_path / "b.jsonl", "")
    write(tmp_path / "a.json", "[]")
    write(tmp_path / "c.txt", "")
    assert expand_paths([str(tmp_path)]) == [str(tmp_path / "a.json"), str(tmp_path / "b.jsonl")]
