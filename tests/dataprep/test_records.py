"""Hashes of rows: the content counts, not how it is spelled."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from dataprep.findings import Location
from dataprep.records import Record, Turn, hash_row, hash_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_the_hash_does_not_see_key_order_and_spelling(row: dict[str, object]) -> None:
    backwards = dict(reversed(row.items()))
    assert hash_row(row) == hash_row(backwards) == hash_row(json.loads(json.dumps(row, indent=1)))
    assert len(hash_row(row)) == 16


def test_the_hash_sees_content() -> None:
    rows = [{"a": 1}, {"a": "1"}, {"a": [1]}, {"a": None}, {"b": 1}, {"a": True}, {"a": 1, "b": None}, {"a": "é"}]
    assert len({hash_row(row) for row in rows}) == len(rows)


def test_a_row_with_half_a_character_has_a_hash() -> None:
    assert len(hash_row({"a": "\ud83d"})) == 16


def test_unreadable_rows_are_told_apart_from_readable_ones() -> None:
    text = b'{"a":1}'
    assert hash_text(text) != hash_row({"a": 1})
    assert hash_text(text) != hash_text(text + b" ")


def test_a_record_needs_its_turns_only() -> None:
    record = Record(location=Location("a", 1), row_format="native", system=None, turns=(Turn("q", "r"),))
    assert (record.images, record.videos, record.objects) == ((), (), None)
