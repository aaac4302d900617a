"""The ledger command: who went where, whether it adds up, and one row's story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dataprep import convert, ledger
from dataprep.errors import ConfigError, ShardFormatError, ShardLedgerError
from dataprep.shards.format import LEDGER_SCHEMA
from dataprep.shards.ledger import entries, require_accounts
from dataprep.shards.manifest import Manifest, read_manifest, write_manifest
from dataprep.shards.stories import why
from dataprep.shards.writer import write_arrow
from tests.dataprep.conversions import GOLDENS, image_row, make_options, text_row, write_png, write_rows, write_varied
from tests.factories import make_shards, reseal


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of two files: 26 varied rows, two of them bad, and four rows in an array, three on one line."""
    folder = tmp_path_factory.mktemp("ledger")
    varied = write_varied(folder / "data")
    array = write_rows(folder / "data" / "sub" / "b.json", ['[{"query": "1", "response": "2"}, 7, 8,', '"x"]'])
    write_rows(folder / "other" / "rows.jsonl", [text_row(1)])
    convert(
        [varied, array, str(folder / "other" / "rows.jsonl")],
        folder / "out",
        make_options(on_bad="skip", max_bad_ratio=1.0, split="val=0.4"),
    )
    return folder / "out"


def test_every_row_is_in_the_totals(converted: Path) -> None:
    report = ledger(converted)
    assert report.ok
    assert report.outcomes == {"converted": 26, "repaired": 0, "rejected": 5, "duplicate": 0}
    assert report.rows_in == 31
    assert [(source.path, source.rows, source.outcomes["rejected"]) for source in report.sources] == [
        ("data/rows.jsonl", 26, 2),
        ("data/sub/b.json", 4, 3),
        ("other/rows.jsonl", 1, 0),
    ]
    assert report.codes["rejected", "P005"] == 3
    assert report.sources[1].codes["rejected", "P005"] == 3
    assert sum(count for (outcome, _), count in report.codes.items() if outcome == "rejected") == 5


def test_rows_are_listed_by_outcome_and_code(converted: Path) -> None:
    rejected = [(entry.source_file, entry.source_line) for entry in entries(converted, outcome="rejected")]
    assert rejected == [("data/rows.jsonl", 10), ("data/rows.jsonl", 11), *[("data/sub/b.json", n) for n in (1, 1, 2)]]
    (missing,) = entries(converted, code="M301")
    assert (missing.source_line, missing.outcome, missing.number) == (11, "rejected", 10)
    assert list(entries(converted, outcome="converted", code="M301")) == []
    assert len(list(entries(converted))) == 31
    with pytest.raises(ConfigError, match="no outcome 'lost'; there are converted, repaired, rejected, duplicate"):
        list(entries(converted, outcome="lost"))


def test_the_story_of_a_rejected_row(converted: Path) -> None:
    (story,) = why(converted, "data/rows.jsonl:11")
    assert [finding.code for finding in story.findings] == ["M301"]
    assert "gone.png" in story.findings[0].message
    assert "gone.png" in story.text
    assert (story.sample, story.shard_file, story.media) == (None, None, ())


def test_the_story_of_every_sample_is_its_own(converted: Path) -> None:
    seen = set()
    for entry in entries(converted, outcome="converted"):
        for story in why(converted, f"{entry.source_file}:{entry.source_line}"):
            if story.sample is not None:
                sample = story.sample
                assert (sample.source_file, sample.source_line) == (entry.source_file, entry.source_line)
                assert (sample.split, sample.row_hash) == (story.entry.split, story.entry.row_hash)
                assert [image.media for image, _ in story.media] == [image.media for image in sample.images]
                seen.add(sample.row)
    assert seen == set(range(26))
    (story,) = why(converted, "data/rows.jsonl:4")
    assert [media.path for _, media in story.media] == ["data/0.png"]


def test_rows_that_share_a_line_have_a_story_each(converted: Path) -> None:
    stories = why(converted, "b.json:1")
    assert [story.entry.outcome for story in stories] == ["converted", "rejected", "rejected"]
    assert [story.text for story in stories] == ["", "7", "8"]
    assert why(converted, "b.json:2")[0].text == '"x"'


def test_a_file_is_named_as_people_name_it(converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(converted.parent / "data")
    for name in (
        "data/rows.jsonl",
        "rows.jsonl",
        "./rows.jsonl",
        "../data/rows.jsonl",
        str(Path("rows.jsonl").resolve()),
    ):
        assert why(converted, f"{name}:4")[0].entry.source_file == "data/rows.jsonl"
    monkeypatch.chdir(converted)
    with pytest.raises(ConfigError, match=r"'rows\.jsonl' is the end of 2 data files: data/rows\.jsonl, other/rows"):
        why(converted, "rows.jsonl:4")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("data/rows.jsonl", "'data/rows.jsonl' is not FILE:LINE, such as train.jsonl:12"),
        ("data/rows.jsonl:x", "is not FILE:LINE"),
        (":4", "is not FILE:LINE"),
        ("data/rows.jsonl:27", "no row of data/rows.jsonl begins on line 27; the nearest rows begin on line 26"),
        ("data/rows.jsonl:0", "no row of data/rows.jsonl begins on line 0; the nearest rows begin on line 1"),
        ("gone.jsonl:1", "no data file 'gone.jsonl'; the shards were made of data/rows.jsonl, data/sub/b.json, other"),
    ],
)
def test_a_row_that_does_not_exist_is_a_clear_error(converted: Path, place: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        why(converted, place)
    assert message in str(caught.value)


def test_rows_around_a_blank_line_are_named(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "a.jsonl", [text_row(1), "", "", text_row(2)])
    convert([source], tmp_path / "out", make_options())
    with pytest.raises(ConfigError, match="begins on line 2; the nearest rows begin on line 1 and 4"):
        why(tmp_path / "out", "a.jsonl:2")


def test_frames_and_links_are_told(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    (tmp_path / "v30.mp4").write_bytes((GOLDENS / "videos" / "v30.mp4").read_bytes())
    rows = [image_row("a.png"), {"query": "<video>What?", "response": "A dot.", "videos": ["v30.mp4"]}]
    convert([write_rows(tmp_path / "rows.jsonl", rows)], tmp_path / "out", make_options(media="link"))
    (story,) = why(tmp_path / "out", "rows.jsonl:2")
    assert {media.path for _, media in story.media} == {"v30.mp4"}
    assert [image.kind for image, _ in story.media] == ["frame"] * 8
    assert [image.frame_index for image, _ in story.media] == sorted(image.frame_index for image, _ in story.media)


def edit_ledger(path: Path, edit: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Change ledger rows and seal the directory again."""
    rows = edit(pa.ipc.open_file(path / "ledger.arrow").read_all().to_pylist())
    write_arrow(path / "ledger.arrow", LEDGER_SCHEMA, [pa.RecordBatch.from_pylist(rows, LEDGER_SCHEMA)])
    reseal(path, "ledger.arrow")


def test_a_duplicate_names_the_row_that_is_in(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")

    def repeat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows[6] |= {"outcome": "duplicate", "row_hash": rows[1]["row_hash"], "codes": ["D501"]}
        return rows

    edit_ledger(path, repeat)
    (story,) = why(path, "rows.jsonl:7")
    assert story.kept is not None
    assert (story.kept.source_line, story.kept.outcome) == (2, "converted")


def change(row: int, **changes: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda rows: [*rows[:row], rows[row] | changes, *rows[row + 1 :]]


BROKEN_LEDGERS = [
    (lambda rows: rows[:-1], "ledger.arrow: not a shard of this format or damaged: batch 0 has 6 rows, expected 7"),
    (change(6, outcome="lost"), "ledger.arrow: 0 rows are 'rejected', the manifest says 1"),
    (change(6, outcome="lost"), "ledger.arrow: 1 rows are 'lost', the manifest says 0"),
    (change(6, outcome="duplicate"), "ledger.arrow: 1 rows are 'duplicate', the manifest says 0"),
    (change(0, source_file="b"), "ledger.arrow: 6 rows of 'rows.jsonl', the manifest says 7"),
    (change(0, codes=["G402"]), "ledger.arrow: 1 rows carry 'G402', the manifest says 0"),
    (change(0, shard=1), "ledger.arrow: 2 rows are in samples-00000.arrow, which has 3"),
    (change(6, shard=0), "ledger.arrow: 7 rows have a place in a shard, 6 became a sample"),
]


@pytest.mark.parametrize(("edit", "problem"), BROKEN_LEDGERS)
def test_a_ledger_that_does_not_add_up_is_refused(tmp_path: Path, edit: Any, problem: str) -> None:
    path = make_shards(tmp_path / "s")
    edit_ledger(path, edit)
    assert any(found.startswith(problem) for found in ledger(path).problems), ledger(path).problems
    with pytest.raises(ShardLedgerError, match="not every row is accounted for: ledger") as caught:
        require_accounts(path)
    assert "run 'dataprep ledger'" in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda m: replace(m, ledger=replace(m.ledger, duplicate=1)), "the outcomes add up to 8 rows, rows_in is 7"),
        (lambda m: replace(m, sources=()), "the sources have 0 rows, rows_in is 7"),
        (lambda m: replace(m, ledger=replace(m.ledger, rejected=2)), "rejects.jsonl: 1 rows, 2 are rejected"),
    ],
)
def test_totals_that_do_not_add_up_are_refused(
    tmp_path: Path, edit: Callable[[Manifest], Manifest], problem: str
) -> None:
    path = make_shards(tmp_path / "s")
    write_manifest(path, edit(read_manifest(path)))
    assert any(problem in found for found in ledger(path).problems)
    with pytest.raises(ShardLedgerError):
        require_accounts(path)


@pytest.mark.parametrize("name", ["ledger.arrow", "rejects.jsonl"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_damaged_accounts_are_a_problem_and_no_crash(tmp_path: Path, name: str, damage: str) -> None:
    path = make_shards(tmp_path / "s")
    data = bytearray((path / name).read_bytes())
    data[len(data) // 2] ^= 4
    (path / name).write_bytes(data[:-9] if damage == "cut" else data)
    if damage == "gone":
        (path / name).unlink()
    assert ledger(path).problems[0].startswith(f"{name}: ")
    with pytest.raises(ShardLedgerError, match=name):
        require_accounts(path)


def test_a_ledger_that_points_nowhere_is_an_error_of_the_story(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    edit_ledger(path, change(0, row_in_shard=9))
    with pytest.raises(ShardFormatError, match="in row 9 of shard 0, which does not exist; run 'dataprep verify'"):
        why(path, "rows.jsonl:1")
    edit_ledger(path, change(0, row_in_shard=1))
    with pytest.raises(ShardFormatError, match=r"row 1 of samples-00000\.arrow is not the sample of rows\.jsonl:1"):
        why(path, "rows.jsonl:1")
    (path / "rejects.jsonl").write_bytes(b'{"source_file": 1}\n')
    reseal(path, "rejects.jsonl")
    with pytest.raises(ShardFormatError, match=r"line 1 of rejects\.jsonl is not the rejected row rows\.jsonl:7"):
        why(path, "rows.jsonl:7")


def test_shards_without_rows_add_up(tmp_path: Path) -> None:
    report = ledger(make_shards(tmp_path / "s", [], [], rejects=0))
    assert (report.ok, report.rows_in, sum(report.outcomes.values())) == (True, 0, 0)
