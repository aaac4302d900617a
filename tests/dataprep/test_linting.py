"""Lint: every row is read, every finding has a place, and nothing on disk changes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert, lint
from dataprep.blocks import CHUNK_BYTES, CHUNK_ROWS, cut_chunks
from dataprep.config import LintConfig
from dataprep.errors import ConfigError, SourceError
from dataprep.findings import Location, Severity
from dataprep.rules.runner import FOR_CONVERSION, UP_TO_MEDIA
from dataprep.sources import RawRow
from tests.dataprep.conversions import TOKENIZER, image_row, make_options, read_files, text_row, write_png, write_rows


def write_mixed(folder: Path) -> str:
    write_png(folder / "a.png", (1, 2, 3))
    rows: list[dict[str, Any] | str] = [
        image_row("a.png"),
        "{broken",
        image_row("gone.png"),
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "r"}]},
        {"instruction": "Add.", "input": "1 2", "output": "3"},
        {"query": "<image>And <image>?", "response": "Two.", "images": ["a.png", "a.png", "a.png"]},
    ]
    return write_rows(folder / "rows.jsonl", rows)


def test_a_report_counts_rows_formats_and_findings(tmp_path: Path) -> None:
    report = lint([write_mixed(tmp_path)])
    (summary,) = report.files
    assert summary.rows == report.num_rows == 6
    assert summary.formats == {"native": 3, "unreadable": 1, "messages": 1, "alpaca": 1}
    assert [(f.code, f.location.line, f.severity.value) for f in report.findings] == [
        ("P001", 2, "error"),
        ("M301", 3, "error"),
        ("T202", 6, "warning"),
    ]
    assert (report.num_rows_with_errors, report.has_errors) == (2, True)
    counts = [report.count(severity) for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO)]
    assert counts == [2, 1, 0]
    assert (report.levels, report.model_type) == (UP_TO_MEDIA, None)


def test_linting_changes_nothing_on_disk(tmp_path: Path) -> None:
    source = write_mixed(tmp_path)
    before = read_files(tmp_path)
    lint([source], LintConfig(model_type="internvl2-1b", model=TOKENIZER))
    assert read_files(tmp_path) == before


def test_warnings_alone_are_no_errors(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    row = {"query": "<image>What?", "response": "Red.", "images": ["a.png", "a.png"]}
    report = lint([write_rows(tmp_path / "rows.jsonl", [row])])
    assert (report.count(Severity.WARNING), report.has_errors) == (1, False)


@pytest.mark.parametrize(("level", "codes"), [(0, ["P001"]), (1, ["P001", "T202"]), (2, ["P001", "M301", "T202"])])
def test_a_level_asks_for_no_more_than_it_says(tmp_path: Path, level: int, codes: list[str]) -> None:
    report = lint([write_mixed(tmp_path)], LintConfig(level=level))
    assert [finding.code for finding in report.findings] == codes
    assert max(report.levels) == level


def test_a_tokenizer_makes_lengths_count(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1), text_row(1) | {"response": "word " * 500}])
    model = LintConfig(model_type="internvl2-1b", model=TOKENIZER, max_length=300)
    report = lint([source], model)
    assert [(finding.code, finding.location.line) for finding in report.findings] == [("L601", 2)]
    assert report.levels == FOR_CONVERSION
    assert lint([source], LintConfig(max_length=300)).findings == []


def test_what_lint_says_is_what_conversion_rejects(tmp_path: Path) -> None:
    source = write_mixed(tmp_path)
    report = lint([source], LintConfig(model_type="internvl2-1b", model=TOKENIZER))
    options = make_options(on_bad="skip", max_bad_ratio=1.0)
    ledger = convert([source], tmp_path / "out", options).ledger
    assert ledger.rejected == report.num_rows_with_errors
    assert sum(ledger.by_code.values()) == len(report.findings)


def test_two_workers_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.blocks.LINES_BYTES", 64)
    monkeypatch.setattr("dataprep.blocks.SLICE_BYTES", 200)
    source = write_mixed(tmp_path)
    one, two = lint([source]), lint([source], LintConfig(jobs=2))
    assert one == two


def test_media_resolve_beside_their_own_data_file(tmp_path: Path) -> None:
    paths = []
    for name in ("one", "two"):
        write_png(tmp_path / name / f"{name}.png", (1, 2, 3))
        paths.append(write_rows(tmp_path / name / "rows.jsonl", [image_row(f"{name}.png")]))
    report = lint(paths)
    assert (report.findings, [summary.rows for summary in report.files]) == ([], [1, 1])
    assert len(lint(paths, LintConfig(media_root=tmp_path / "one")).findings) == 1


def test_a_folder_stands_for_its_data_files(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "notes.txt"):
        write_rows(tmp_path / name, [text_row(1)])
    assert [Path(summary.path).name for summary in lint([str(tmp_path)]).files] == ["a.jsonl", "b.jsonl"]


def test_standard_input_is_a_data_file(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(json.dumps(text_row(1)).encode() + b"\n{cut"))
    monkeypatch.setattr("sys.stdin", stream)
    report = lint(["-"])
    assert report.num_rows == 2
    assert str(report.findings[0].location) == "-:2"


def test_an_empty_file_is_a_file_without_rows(tmp_path: Path) -> None:
    report = lint([write_rows(tmp_path / "rows.jsonl", [])])
    assert (report.num_rows, report.has_errors, len(report.files)) == (0, False, 1)


def test_bad_calls_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        lint([str(tmp_path / "gone.jsonl")])
    with pytest.raises(ConfigError, match="internvl2-8b"):
        lint([write_mixed(tmp_path)], LintConfig(model_type="internvl2-8"))


def test_progress_is_told_of_every_row(tmp_path: Path) -> None:
    told: list[int] = []
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)] * 3000)
    lint([source], progress=told.append)
    assert sum(told) == 3000
    assert len(told) > 1


def make_rows(sizes: list[int]) -> list[RawRow]:
    return [RawRow(Location("rows.jsonl", line), b"x" * size) for line, size in enumerate(sizes, start=1)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([1] * CHUNK_ROWS, [CHUNK_ROWS]),
        ([1] * (2 * CHUNK_ROWS + 3), [CHUNK_ROWS, CHUNK_ROWS, 3]),
        ([CHUNK_BYTES, 1, CHUNK_BYTES - 1, 1, 1], [1, 2, 2]),
        ([1, 3 * CHUNK_BYTES, 1], [2, 1]),
    ],
)
def test_chunks_are_bounded_and_lose_no_row(sizes: list[int], expected: list[int]) -> None:
    rows = make_rows(sizes)
    chunks = list(cut_chunks(rows))
    assert [len(chunk) for chunk in chunks] == expected
    assert [row for chunk in chunks for row in chunk] == rows


def test_a_split_without_a_single_row_for_training_is_no_crash(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3), (64, 48))
    rows = write_rows(tmp_path / "val.jsonl", [image_row("a.png")])
    assert lint([rows], LintConfig(level=3, val=(rows,))).num_rows == 1
