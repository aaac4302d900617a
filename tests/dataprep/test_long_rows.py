"""Rows above the ceiling are findings, are passed over in bounded memory, and cost no other row."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep import blocks, lint, sources
from dataprep.baseline import read_baseline
from dataprep.blocks import Block, read_blocks
from dataprep.config import LintConfig
from dataprep.errors import SourceError
from dataprep.fixing import fix_file
from dataprep.parsing import parse_row
from dataprep.sources import RawRow, read_rows
from tests.dataprep.test_memory_limits import MIB, stream_into_lint

LIMIT = 2000
GOOD = b'{"query": "q", "response": "r"}'


def long_row(size: int, *, fill: bytes = b"a") -> bytes:
    head, tail = b'{"query": "', b'", "response": "r"}'
    return head + (fill * size)[: size - len(head) - len(tail)] + tail


@pytest.fixture
def low_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_ROW_BYTES", LIMIT)
    monkeypatch.setattr(sources, "_KEPT_BYTES", 20)
    monkeypatch.setattr(sources, "_CHUNK_BYTES", 100)
    monkeypatch.setattr(blocks, "LINES_BYTES", 500)


def rows_of_blocks(path: str) -> Iterator[RawRow]:
    for block in read_blocks(path):
        yield from block.rows() if isinstance(block, Block) else block


def seen(rows: Iterator[RawRow]) -> list[tuple[int, bool, bytes]]:
    return [(row.location.line, row.is_too_long, row.text) for row in rows]


@pytest.mark.usefixtures("low_ceiling")
@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize("has_bom", [True, False])
def test_a_long_line_is_one_row_among_others(tmp_path: Path, is_last: bool, has_bom: bool) -> None:
    lines = [GOOD, b"", long_row(5 * LIMIT), GOOD, long_row(LIMIT), *([] if is_last else [GOOD, b""])]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" * has_bom + b"\n".join(lines))
    expected = [
        (number, len(line) > LIMIT or (len(line) == LIMIT and not is_last), line)
        for number, line in enumerate(lines, 1)
        if line
    ]
    expected = [(number, is_long, line[:20] if is_long else line) for number, is_long, line in expected]
    assert seen(read_rows(str(path))) == expected
    assert seen(rows_of_blocks(str(path))) == expected
    assert next(read_rows(str(path))).starts_with_bom == has_bom == next(rows_of_blocks(str(path))).starts_with_bom


@pytest.mark.usefixtures("low_ceiling")
def test_a_long_first_line_keeps_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + long_row(3 * LIMIT) + b"\n" + GOOD)
    for rows in (list(read_rows(str(path))), list(rows_of_blocks(str(path)))):
        assert [(row.starts_with_bom, row.is_too_long) for row in rows] == [(True, True), (False, False)]


texts = st.sampled_from([b"a", b'\\"', b"\\\\", b"]},{[", b",", b"\\\\\\n"])


@given(
    rows=st.lists(st.tuples(st.sampled_from([60, 119, 120, 121, 500, 3000]), texts), max_size=6),
    chunk=st.integers(1, 90),
    is_closed=st.booleans(),
)
def test_long_elements_are_rows_among_others(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, bytes]], chunk: int, is_closed: bool
) -> None:
    elements = [b'{"x": ["' + fill * (size // len(fill)) + b'", [1]]}' for size, fill in rows]
    path = tmp_path_factory.mktemp("rows") / "rows.json"
    path.write_bytes(b"[" + b",\n".join(elements) + b"\n]" * is_closed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "MAX_ROW_BYTES", 120)
        patch.setattr(sources, "_KEPT_BYTES", 20)
        patch.setattr(sources, "_CHUNK_BYTES", chunk)
        patch.setattr(sources, "_MOST_CHUNK_BYTES", chunk)
        found = list(read_rows(str(path)))
    # White space in front of a comma or bracket counts: the last element has a line end behind it.
    lengths = [len(element) + (is_closed and number == len(elements)) for number, element in enumerate(elements, 1)]
    expected = [
        (number, length > 120, element[:20] if length > 120 else element)
        for number, (element, length) in enumerate(zip(elements, lengths, strict=True), 1)
    ]
    if not elements and not is_closed:
        expected = [(1, False, b"[")]
    assert seen(iter(found)) == expected


@pytest.mark.usefixtures("low_ceiling")
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.jsonl.gz"])
def test_long_rows_are_findings_and_no_duplicates_of_each_other(tmp_path: Path, name: str) -> None:
    rows = [GOOD, long_row(4 * LIMIT), long_row(5 * LIMIT), b'{"query": "other", "response": "r"}']
    text = b"[" + b",\n".join(rows) + b"]" if name.endswith(".json") else b"\n".join(rows)
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    report = lint([str(tmp_path / name)])
    assert [(finding.code, finding.location.line) for finding in report.findings] == [("P008", 2), ("P008", 3)]
    assert "longer than 256 MiB" in report.findings[0].message
    assert report.num_rows == 4


@pytest.mark.usefixtures("low_ceiling")
def test_what_stands_behind_an_array_is_not_held_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(b"[" + GOOD + b"] " + b"x" * 3 * LIMIT)
    first, last = read_rows(str(path))
    assert parse_row(first)[1] is None
    assert (last.is_too_long, last.text) == (True, b"x" * 20)


@pytest.mark.usefixtures("low_ceiling")
def test_mending_never_writes_half_a_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + long_row(3 * LIMIT) + b'\n{"query": "q", "respons": "r"}\n')
    with pytest.raises(SourceError, match="cannot be copied"):
        fix_file(str(path), LintConfig(), unsafe=False, baseline=read_baseline(None))
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("form", ["line", "array"])
def test_a_row_of_gigabytes_takes_bounded_memory(tmp_path: Path, form: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"[" * (form == "array") + b'{"query": "'
        yield from (b"a" * MIB for _ in range(3000))
        yield b'"}' + (b"," + GOOD + b"]" if form == "array" else b"\n" + GOOD)

    report, peak = stream_into_lint(chunks(), tmp_path, most_bytes=2500 * MIB)
    assert report["summary"]["rows"] == 2
    assert [json.dumps(finding).count("P008") > 0 for finding in report["findings"]] == [True]
    assert peak < 1200 * MIB
