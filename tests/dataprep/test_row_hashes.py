"""Findings that come late are about rows too: they get the hashes of their rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dataprep import row_hashes
from dataprep.findings import Finding
from dataprep.records import hash_row, hash_text
from dataprep.row_hashes import with_row_hashes
from tests.dataprep.conversions import text_row, write_rows
from tests.dataprep.reports.making import make_finding


def late(path: str, line: int) -> Finding:
    return replace(make_finding(line, "C702", path=path), row_hash=b"")


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_rows_are_named_by_their_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(row_hashes, "MOST_AT_ONCE", at_once)
    one = write_rows(tmp_path / "one.jsonl", [text_row(1), "{cut", text_row(3)])
    two = tmp_path / "two.json"
    two.write_text(json.dumps([text_row(4), text_row(5)], indent=1))
    groups = [[late(one, 3)], [late(one, 2), late(str(two), 2)], [late(one, 0)], [late("-", 1)], [make_finding(7)]]
    found = list(with_row_hashes(groups))
    assert [[replace(f, row_hash=b"") for f in group] for group in found[:4]] == groups[:4]
    assert [f.row_hash for group in found for f in group] == [
        hash_row(text_row(3)), hash_text(b"{cut"), hash_row(text_row(4)), b"", b"", make_finding(7).row_hash
    ]  # fmt: skip


def test_nothing_is_read_where_nothing_is_found() -> None:
    def none() -> Iterator[list[Finding]]:
        yield from ()

    assert list(with_row_hashes(none())) == []
