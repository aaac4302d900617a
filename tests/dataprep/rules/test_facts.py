"""What is collected of rows: no more than is wanted, and the same on every way that a row may take."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep.config import LintConfig, RuleConfig
from dataprep.corpus import MOST_LABELS, Corpus, Facts, Wanted
from dataprep.rules.base import Level
from dataprep.rules.facts import FactCollector, canonical_hash, wanted_facts
from dataprep.rules.runner import UP_TO_MEDIA, CheckerRecipe
from dataprep.rules.table import RULES
from dataprep.sources import RawRow, read_rows
from tests.dataprep.conversions import image_row, text_row, write_png, write_rows

TEXT_LEVELS = frozenset({Level.SHAPE, Level.TEXT})
ALL_LEVELS = frozenset(Level)


def collect(path: str, wanted: Wanted) -> Facts:
    rows: list[RawRow] = list(read_rows(path))
    checkers = CheckerRecipe(LintConfig(), UP_TO_MEDIA, RuleConfig(select=("P001",)))()
    return FactCollector(wanted, root=Path(path).parent).add_all(checkers.for_file(path).check_all(rows))


def test_text_levels_want_nothing() -> None:
    assert wanted_facts(RULES, TEXT_LEVELS, has_val=False) == Wanted()
    assert wanted_facts(RULES, TEXT_LEVELS, has_val=True) == Wanted()


@pytest.mark.parametrize(
    ("code", "levels", "wanted"),
    [
        ("P001", ALL_LEVELS - {Level.TOKENS}, Wanted()),
        ("D503", UP_TO_MEDIA, Wanted(rows=True)),
        ("D502", UP_TO_MEDIA, Wanted(answers=True)),
        ("D502", TEXT_LEVELS, Wanted()),
        ("D504", UP_TO_MEDIA, Wanted(media=True)),
        ("D505", ALL_LEVELS - {Level.TOKENS}, Wanted(media=True, content=True)),
        ("G420", UP_TO_MEDIA, Wanted(boxes=True)),
        ("C703", UP_TO_MEDIA, Wanted(labels=True)),
    ],
)
def test_a_rule_pays_for_what_it_needs(code: str, levels: frozenset[Level], wanted: Wanted) -> None:
    assert wanted_facts({code}, levels, has_val=True) == wanted


def test_a_picture_of_boxes_wants_boxes() -> None:
    assert wanted_facts({"P001"}, UP_TO_MEDIA, has_val=False, draws_boxes=True).boxes


def test_plain_rows_give_the_same_whichever_way_they_take(tmp_path: Path) -> None:
    rows = [*map(text_row, range(10)), text_row(3)]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    wanted = Wanted(rows=True, answers=True)
    raws = list(read_rows(path))
    plain = FactCollector(wanted, root=tmp_path)
    answers = [row["response"] for row in rows]
    plain.add_plain(raws[0].location.line, raws[0].text, answers[0])
    plain.add_plain_rows([raw.location.line for raw in raws[1:]], [raw.text for raw in raws[1:]], answers[1:])
    assert plain.wants_records
    assert plain.finish() == collect(path, wanted)


def test_rows_without_a_record_still_count(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    path = write_rows(tmp_path / "rows.jsonl", ["{broken", image_row("a.png"), text_row(1)])
    facts = collect(path, Wanted(rows=True, answers=True))
    assert list(facts.lines) == [1, 2, 3]
    assert list(facts.num_media) == [-1, 1, 0]
    assert [bool(value) for value in facts.answers] == [False, True, True]
    assert [bool(value) for value in facts.questions] == [False, True, False]


def test_numbers_that_are_no_coordinates_are_left_out(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    entry = {"caption": "x", "bbox": [[1, 2, 3, 10**400], [1, 2, 3, 4]], "bbox_type": "real", "image": 0}
    path = write_rows(tmp_path / "rows.jsonl", [image_row("a.png") | {"objects": [entry]}])
    assert list(collect(path, Wanted(boxes=True)).boxes.numbers) == [1, 2, 3, 4]


def test_hash_of_content() -> None:
    one, same = b'{"a": [1, "\\u00e9"], "b": null}', '{"b":null, "a":[1,"é"]}'.encode()
    assert canonical_hash(one) == canonical_hash(same)
    assert canonical_hash(one) != canonical_hash(b'{"a": [1, "e"], "b": null}')
    for broken in (b"{", b"\xff", b'"\\ud800"', b"[" * 100_000, b"1" * 5000):
        assert canonical_hash(broken) == canonical_hash(bytes(bytearray(broken)))


def test_counts_of_captions_are_bounded() -> None:
    corpus = Corpus(paths=["a"])
    for start in range(0, 3 * MOST_LABELS, 1000):
        facts = Facts()
        facts.labels.update({str(number): 1 for number in range(start, start + 1000)})
        corpus.add("a", facts)
    assert MOST_LABELS < len(corpus.files["a"].labels) <= MOST_LABELS + 1000


def test_a_short_column_is_looked_through() -> None:
    def repeats(*values: int) -> bool:
        facts = Facts()
        facts.rows.extend(values)
        return Corpus(paths=["a"], files={"a": facts}).may_repeat("rows")

    assert (repeats(), repeats(1, 2), repeats(1, 2, 1), repeats(0, 0)) == (False, False, True, False)
