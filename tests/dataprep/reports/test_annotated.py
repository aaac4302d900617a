"""The annotated copy: no row lost, rows without findings byte for byte, and a second run over it finds the same."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dataprep import lint
from dataprep.config import LintConfig, ReportConfig
from dataprep.errors import ConfigError
from dataprep.linting_run import LintRun, run_lint
from dataprep.records import hash_row
from dataprep.reports.annotated import AnnotatedReporter
from tests.dataprep.conversions import image_row, text_row, write_rows
from tests.dataprep.reports.making import make_context, make_finding, make_report


def annotate(*paths: object, out: Path) -> list[str]:
    run = LintRun(report=ReportConfig(format="annotated", output=out))
    run_lint([str(path) for path in paths], run)
    return out.read_text(encoding="utf-8").splitlines()


def codes(path: object) -> list[tuple[int, str, bytes]]:
    return [(f.location.line, f.code, f.row_hash) for f in lint([str(path)]).findings]


def test_rows_say_what_was_found_in_them(tmp_path: Path) -> None:
    odd = '{"response" : "r",\t"query":"\\u00e4 1.50", "x": 1.50e2}'
    source = write_rows(tmp_path / "rows.jsonl", [odd, image_row("gone.png"), text_row(1), "{cut"])
    lines = annotate(source, out=tmp_path / "marked.jsonl")
    original = Path(source).read_text().splitlines()
    assert (lines[0], lines[2]) == (original[0], original[2])
    marked = json.loads(lines[1])
    (mark,) = marked["_lint"]
    assert (mark["code"], mark["severity"], mark["field"]) == ("M301", "error", "images[0]")
    assert lines[1].startswith(original[1][:-1] + ', "_lint": [')
    cut = json.loads(lines[3])
    assert (cut["_line"], [mark["code"] for mark in cut["_lint"]]) == ("{cut", ["P001"])


def test_a_second_run_finds_the_same_and_marks_it_once(tmp_path: Path) -> None:
    row = image_row("gone.png") | {"objects": [{"bbox": [1, 2, 3, 4], "bbox_type": "odd", "image": 0}]}
    source = write_rows(tmp_path / "rows.jsonl", [row, text_row(1), {"query": "<|im_end|>", "response": "r"}])
    once, twice = tmp_path / "once.jsonl", tmp_path / "twice.jsonl"
    annotate(source, out=once)
    assert codes(once) == codes(source)
    annotate(once, out=twice)
    assert [json.loads(line) for line in twice.read_text().splitlines()] == [
        json.loads(line) for line in once.read_text().splitlines()
    ]


def test_marks_are_no_part_of_the_row() -> None:
    assert hash_row(text_row(1) | {"_lint": [{"code": "M301"}]}) == hash_row(text_row(1))
    assert hash_row(text_row(1) | {"lint": []}) != hash_row(text_row(1))


@pytest.mark.parametrize(("row", "expected"), [("{}", '{"_lint": '), ("{ }", '{"_lint": '), ('{"_lint": [1]}', None)])
def test_rows_without_fields_can_be_marked(tmp_path: Path, row: str, expected: str | None) -> None:
    (line,) = annotate(write_rows(tmp_path / "rows.jsonl", [row]), out=tmp_path / "out")
    assert [mark["code"] for mark in json.loads(line)["_lint"]] == ["S105"]
    if expected:
        assert line.startswith(expected)


def test_arrays_and_packed_files_become_lines(tmp_path: Path) -> None:
    rows: list[Any] = [text_row(1), image_row("gone.png")]
    array = tmp_path / "rows.json"
    array.write_text(json.dumps(rows, indent=2))
    packed = tmp_path / "more.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(text_row(3)).encode() + b"\n"))
    lines = [json.loads(line) for line in annotate(array, packed, out=tmp_path / "out")]
    assert lines[0] == rows[0]
    assert lines[1].pop("_lint")[0]["code"] == "M301"
    assert lines[1:] == [rows[1], text_row(3)]


def test_findings_that_come_late_find_their_row(tmp_path: Path) -> None:
    paths = tuple(write_rows(tmp_path / f"{name}.jsonl", [text_row(n) for n in range(3)]) for name in "ab")
    pieces: list[str] = []
    reporter = AnnotatedReporter(make_context(pieces.append, paths=paths))
    places = [(1, 2), (1, 3), (0, 1), (1, 1), (0, 3), (1, 3)]
    for file, line in places:
        reporter.take([make_finding(line, path=paths[file], message=f"{file}:{line}")])
    reporter.take([make_finding(0, path=paths[0]), make_finding(4, path="baseline.json")])
    report = make_report(path=paths[0])
    report.files.append(make_report(path=paths[1]).files[0])
    reporter.finish(report)
    found = [[mark["message"] for mark in json.loads(line).get("_lint", [])] for line in "".join(pieces).splitlines()]
    assert found == [["0:1"], [], ["0:3"], ["1:1"], ["1:2"], ["1:3", "1:3"]]


def test_what_can_be_read_once_or_is_not_read_whole_is_refused(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    with pytest.raises(ConfigError, match="- can be read once; name a file"):
        annotate("-", out=tmp_path / "out")
    for lint_config in (LintConfig(sample=1), LintConfig(max_findings=1)):
        with pytest.raises(ConfigError, match="leave out --sample and --max-findings"):
            run_lint([source], LintRun(lint=lint_config, report=ReportConfig(format="annotated")))
