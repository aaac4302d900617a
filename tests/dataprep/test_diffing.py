"""A diff names exactly the rows that differ, whatever their order and place."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataprep import convert
from dataprep.diffing import Diff, diff
from dataprep.errors import SourceError
from tests.dataprep.conversions import make_options, text_row, write_png, write_rows
from tests.factories import make_sample, make_shards


def lines(table: pl.DataFrame, name: str = "line") -> list[int]:
    return table[name].to_list()


def compare(folder: Path, a: list[Any], b: list[Any]) -> Diff:
    return diff(write_rows(folder / "a.jsonl", a), write_rows(folder / "b.jsonl", b))


ROWS = [text_row(number) for number in range(10)]


def test_the_same_rows_in_another_order_and_spelling_are_no_difference(tmp_path: Path) -> None:
    spelled = [json.dumps(dict(reversed(row.items())), indent=None, separators=(" ,", " :")) for row in ROWS]
    random.Random(1).shuffle(spelled)
    found = compare(tmp_path, ROWS, ["", *spelled])
    assert found.is_empty
    assert found.num_same == 10


def test_rows_added_removed_and_changed_are_told_apart(tmp_path: Path) -> None:
    b = [dict(row) for row in ROWS]
    b.insert(3, {"query": "new", "response": "x"})
    b[6]["response"] = "changed"
    del b[9]
    b.append(dict(b[0]))
    found = compare(tmp_path, ROWS, b)
    assert (found.num_same, found.is_empty) == (8, False)
    assert (lines(found.added), lines(found.removed)) == ([4, 11], [9])
    assert (lines(found.changed), lines(found.changed, "line_b")) == ([6], [7])
    assert set(found.added["file"]) == {"b.jsonl"}


def test_an_edited_row_on_its_line_is_changed_even_if_the_rows_around_it_are(tmp_path: Path) -> None:
    found = compare(tmp_path, ROWS[:4], [ROWS[0], text_row(77), text_row(78), ROWS[3]])
    assert (lines(found.changed), lines(found.changed, "line_b")) == ([2, 3], [2, 3])
    assert not len(found.added)
    assert not len(found.removed)


def test_copies_are_counted(tmp_path: Path) -> None:
    found = compare(tmp_path, [ROWS[0]] * 3, [ROWS[0]] * 5)
    assert (found.num_same, lines(found.added), lines(found.removed)) == (3, [4, 5], [])


def test_rows_that_are_no_json_are_rows(tmp_path: Path) -> None:
    found = compare(tmp_path, ['{"query": "cut', "[]"], ['{"query": "cut', "[1]"])
    assert (found.num_same, lines(found.changed)) == (1, [2])


def test_empty_files_can_be_compared(tmp_path: Path) -> None:
    assert compare(tmp_path, [], []).is_empty
    assert lines(compare(tmp_path, [], ROWS[:2]).added) == [1, 2]
    assert lines(compare(tmp_path, ROWS[:2], []).removed) == [1, 2]


def test_files_of_folders_are_matched_by_name(tmp_path: Path) -> None:
    for side, rows in (("a", ROWS[:4]), ("b", [text_row(50), *ROWS[1:4]])):
        write_rows(tmp_path / side / "x.jsonl", rows[:2])
        write_rows(tmp_path / side / "y.jsonl", rows[2:])
    found = diff(str(tmp_path / "a"), str(tmp_path / "b"))
    assert found.changed.to_dicts() == [
        {"file": "x.jsonl", "line": 1, "tokens": None, "file_b": "x.jsonl", "line_b": 1, "tokens_b": None}
    ]
    with pytest.raises(SourceError, match="no such file"):
        diff(str(tmp_path / "a"), str(tmp_path / "c"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 5), max_size=12), st.lists(st.integers(0, 5), max_size=12))
def test_every_row_is_in_exactly_one_part_of_the_diff(tmp_path: Path, a: list[int], b: list[int]) -> None:
    found = compare(tmp_path, [text_row(number) for number in a], [text_row(number) for number in b])
    assert found.num_same == sum(min(a.count(n), b.count(n)) for n in range(6))
    assert found.num_same + len(found.changed) + len(found.removed) == len(a)
    assert found.num_same + len(found.changed) + len(found.added) == len(b)
    used_a, used_b = lines(found.changed) + lines(found.removed), lines(found.changed, "line_b") + lines(found.added)
    assert len(set(used_a)) == len(used_a)
    assert len(set(used_b)) == len(used_b)


def grounding_row(*captions: str) -> dict[str, Any]:
    return {
        "query": "<image>Find " + "<ref-object>" * len(captions),
        "response": "<bbox>" * len(captions),
        "images": ["a.png"],
        "objects": [{"caption": c, "bbox": [1, 1, 9, 9], "bbox_type": "real", "image": 0} for c in captions],
    }


@pytest.mark.parametrize("kind", ["files", "shards"])
def test_captions_are_counted_on_both_sides(tmp_path: Path, kind: str) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    sides = []
    for side, rows in (("a", [grounding_row("cat", "cat", "dog")]), ("b", [grounding_row("cat", "owl", "dog")])):
        path = write_rows(tmp_path / f"{side}.jsonl", [*rows, text_row(1)])
        if kind == "shards":
            convert([path], tmp_path / side, make_options())
        sides.append(path if kind == "files" else str(tmp_path / side))
    found = diff(*sides)
    assert found.captions == {"cat": (2, 1), "owl": (0, 1)}
    assert lines(found.changed) == [1]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diff")
    source = write_rows(folder / "rows.jsonl", [*ROWS, '{"query": "cut'])
    skip = {"on_bad": "skip", "max_bad_ratio": 1.0}
    convert([source], folder / "a", make_options(**skip))
    convert([source], folder / "again", make_options(**skip))
    convert([source], folder / "b", make_options(**skip, system="", max_num=6, split="val=0.5"))
    convert([source], folder / "short", make_options(**skip, max_length=20))
    return folder


def test_shards_made_alike_do_not_differ(converted: Path) -> None:
    found = diff(str(converted / "a"), str(converted / "again"))
    assert found.is_empty
    assert found.totals[0] == found.totals[1]
    assert (found.totals[0].rows, found.totals[0].samples) == (11, 10)


def test_shards_made_otherwise_tell_settings_tokens_and_splits(converted: Path) -> None:
    found = diff(str(converted / "a"), str(converted / "b"))
    assert (found.num_same, len(found.added), len(found.removed), len(found.changed)) == (11, 0, 0, 0)
    assert found.settings["system"] == (None, "")
    assert found.settings["max_num"] == (12, 6)
    assert set(found.settings) == {"system", "max_num", "fingerprint of system", "fingerprint of tiling"}
    assert lines(found.encoded) == list(range(1, 11))
    assert 0 < len(found.moved) < 10
    assert set(found.moved["split_b"]) == {"val"}
    before, after = found.totals
    assert before.tokens is not None
    assert after.tokens is not None
    assert before.tokens - after.tokens == int((found.encoded["tokens"] - found.encoded["tokens_b"]).sum())


def test_a_row_with_another_outcome_is_told(converted: Path) -> None:
    found = diff(str(converted / "a"), str(converted / "short"))
    assert set(found.moved["outcome_b"]) == {"rejected"}
    assert lines(found.moved) == list(range(1, 11))
    assert found.totals[1].samples == 0


def test_shards_are_compared_with_the_file_behind_them(converted: Path) -> None:
    found = diff(str(converted / "rows.jsonl"), str(converted / "a"))
    assert found.is_empty
    assert found.num_same == 11
    assert found.totals[0].tokens is None


def test_samples_of_several_shards_have_their_own_tokens(tmp_path: Path) -> None:
    samples = [make_sample(line, text_tokens=line, split="val" if line > 5 else "train") for line in range(1, 10)]
    longer = [
        make_sample(line, text_tokens=line + (line == 7), split=sample.split) for line, sample in enumerate(samples, 1)
    ]
    a, b = make_shards(tmp_path / "a", samples), make_shards(tmp_path / "b", longer)
    found = diff(str(a), str(b))
    assert lines(found.encoded) == [7]
    assert (found.encoded["tokens"][0], found.encoded["tokens_b"][0]) == (7, 8)
