"""The text report: causes first, repeats collapsed, hostile data harmless, the next command last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataprep import lint
from dataprep.config import LintConfig
from dataprep.findings import Fix, Severity
from dataprep.linting import FileSummary, LintReport
from dataprep.rules.runner import FOR_CONVERSION
from tests.dataprep.conversions import text_row, write_rows
from tests.dataprep.reports.making import HOSTILE, make_finding, make_report, render


def show(report: LintReport, **options: Any) -> str:
    return render(report, format="text", **options)


def test_a_clean_report_names_what_passed_and_what_comes_next() -> None:
    assert show(make_report()).splitlines() == [
        "rows.jsonl: 100 rows (100 native)",
        "",
        "passed: parsing, fields and turns, tags, images, boxes, duplicates, balance",
        "not checked: lengths (add --for MODEL_TYPE --model DIR)",
        "0 errors and 0 warnings; conversion would reject 0 of 100 rows",
        "Next: dataprep convert rows.jsonl --for MODEL_TYPE --model DIR --out shards",
    ]


def test_videos_have_passed_only_where_there_are_some(goldens: Path, tmp_path: Path) -> None:
    report = make_report()
    report.has_videos = True
    assert "images, videos, boxes" in show(report)
    lines = [json.dumps(text_row(number)) for number in range(900)]  # enough to be taken past the rules
    (tmp_path / "text.jsonl").write_text("\n".join(lines))
    video = {"query": "<video>What?", "response": "A dot.", "videos": ["v30.mp4"]}
    (tmp_path / "video.jsonl").write_text("\n".join([*lines, json.dumps(video)]))
    write_rows(tmp_path / "few.jsonl", [text_row(1), video])
    options = LintConfig(level=1)
    assert [lint([str(tmp_path / f"{name}.jsonl")], options).has_videos for name in ("text", "video", "few")] == [
        False, True, True,
    ]  # fmt: skip


def test_repeats_collapse() -> None:
    text = show(make_report(*(make_finding(line, help="check the path") for line in range(1, 4124)), num_rows=9000))
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("rows.jsonl:") and "M301" in line] == [
        f"rows.jsonl:{line}: images[0]: M301 no such file" for line in (1, 2, 3)
    ]
    assert "  +4,120 more M301, 4,123 rows in all (--format concise lists them)" in lines
    assert lines.count("  help: check the path") == 1
    assert "passed: parsing, fields and turns, tags, boxes, duplicates, balance" in lines
    assert "4,123 errors and 0 warnings; conversion would reject 4,123 of 9,000 rows" in lines
    assert lines[-1] == "Next: dataprep explain M301"


@pytest.mark.parametrize(("count", "more"), [(3, False), (4, True)])
def test_three_findings_are_shown_in_full(count: int, more: bool) -> None:
    text = show(make_report(*(make_finding(line) for line in range(1, count + 1))))
    assert ("+1 more M301" in text) == more


def test_errors_come_first_and_the_most_frequent_of_them() -> None:
    findings = [make_finding(line, "T202") for line in range(1, 9)]
    findings += [make_finding(1, "G402"), make_finding(2, "M301"), make_finding(3, "M301")]
    text = show(make_report(*findings))
    assert text.index("M301") < text.index("G402") < text.index("T202")
    # Ten findings on one row are one row.
    many = [make_finding(1, "G402") for _ in range(10)] + findings[-2:]
    assert show(make_report(*many)).index("M301") < show(make_report(*many)).index("G402")


@pytest.mark.parametrize("line", [100, 1234])
def test_line_numbers_are_no_emoji(line: int) -> None:
    assert f"rows.jsonl:{line}: images[0]: M301 :cat:" in show(make_report(make_finding(line, message=":cat:")))


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_data_cannot_act_on_the_terminal(text: str, shown: str) -> None:
    report = make_report(make_finding(1, message=text, field=text, help=text), path=text)
    output = show(report)
    assert output.count(shown) == 4
    assert all(character.isprintable() or character == "\n" for character in output)


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", "[bold", "\\[red]", "tail\\", "[link=file:///etc]x[/link]"])
def test_markup_in_the_data_is_text(text: str) -> None:
    output = show(make_report(make_finding(1, message=text, field=text, help=text), path=text))
    assert f"{text}: 100 rows" in output
    assert f"rows.jsonl:1: {text}: M301 {text}\n" in output
    assert f"help: {text}\n" in output


def test_colours_are_ours_alone() -> None:
    text = show(make_report(make_finding(1, message="[red]\x1b[31mx")), has_colours=True)
    assert "\x1b[1;31mM301\x1b[0m" in text
    assert "[red]\\x1b[31mx" in text
    assert "\x1b" not in show(make_report(make_finding(1)))


def test_a_place_is_never_broken_in_two() -> None:
    path = "a/very/long/folder/" * 10 + "rows.jsonl"
    lines = show(make_report(path=path)).splitlines()
    assert lines[0] == f"{path}: 100 rows (100 native)"
    assert lines[-1].endswith("--out shards")


def test_the_next_command_can_be_pasted() -> None:
    assert "dataprep convert 'my rows.jsonl' --for" in show(make_report(path="my rows.jsonl"))
    report = make_report()
    report.files = [FileSummary(f"{number}.jsonl") for number in range(5)]
    report.model_type, report.levels = "internvl2-8b", FOR_CONVERSION
    text = show(report)
    assert "Next: dataprep convert 0.jsonl 1.jsonl 2.jsonl 3.jsonl 4.jsonl --for internvl2-8b --model DIR" in text
    assert "passed: parsing, fields and turns, tags, images, boxes, duplicates, lengths, balance" in text
    assert "not checked" not in text


def test_a_file_without_rows_passes_nothing() -> None:
    text = show(LintReport([FileSummary("rows.jsonl")]))
    assert "rows.jsonl: 0 rows (none)" in text
    assert "passed" not in text


@pytest.mark.parametrize(
    "row",
    [
        '{"query": "<image>What?", "response": "r", "images": ["%s.png"]}',
        '{"query": "<bbox>", "response": "r", "images": [], "objects": [{"caption": "%s", "bbox": "%s"}]}',
        '{"query": "q", "response": "r", "%s": 1}',
        '{"query": "q", "response": "%s<|im_end|>%s"}',
        '{"query": {"%s": 1}, "response": "r"}',
        '{"query": "q", "response": "%s',
        '{"messages": [{"role": "%s", "content": "q"}]}',
        '{"query": "q", "response": "r", "%s": 1, "%s": 2}',
    ],
    ids=["path", "box", "field", "answer", "query", "cut", "role", "twice"],
)
def test_a_megabyte_in_one_place_stays_readable(tmp_path: Path, row: str) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [row.replace("%s", "long " * 200_000), text_row(1)])
    text = show(lint([source]))
    assert len(text) < 8000
    assert "conversion would reject" in text


def test_a_safe_fix_is_named_and_is_the_next_command() -> None:
    safe = Fix(label="rename imgs to images", is_safe=True)
    text = show(make_report(make_finding(1, fix=safe), make_finding(2, "G402")))
    assert "  --fix would: rename imgs to images" in text.splitlines()
    assert text.splitlines()[-1] == "Next: dataprep lint rows.jsonl --fix"
    unsafe = Fix(label="leave the row out", is_safe=False)
    text = show(make_report(make_finding(1, fix=unsafe)))
    assert "  --unsafe-fixes would: leave the row out" in text.splitlines()
    assert text.splitlines()[-1] == "Next: dataprep explain M301"


def test_statistics_are_counts_in_place_of_findings() -> None:
    findings = [make_finding(line) for line in (1, 1, 2)] + [make_finding(3, "T202")]
    text = show(make_report(*findings), statistics=True)
    assert "rows.jsonl:1" not in text
    assert "       3         2  error     M301 image-file-missing" in text.splitlines()
    assert "       1         1  warning   T202 fewer-tags-than-media" in text.splitlines()


def test_what_was_left_out_of_the_run_is_said() -> None:
    report = make_report(make_finding(1), num_rows=50)
    report.sampled_from, report.num_accepted, report.stopped = 2000, 7, "--max-findings 1 was reached at rows.jsonl:1"
    text = show(report)
    assert "50 of 2,000 rows (2.50%) were checked, drawn by --sample" in text
    assert "accepted by " in text
    assert "stopped: --max-findings 1 was reached at rows.jsonl:1; the rows behind it were not checked" in text
    assert "passed:" not in text


def test_leakage_has_passed_only_where_it_was_looked_for() -> None:
    report = make_report()
    assert "leakage" not in show(report)
    assert "balance, leakage" in show(report, lint=LintConfig(val=("val.jsonl",)))
    report.sampled_from = 1000
    assert "images, boxes\n" in show(report, lint=LintConfig(val=("val.jsonl",)))


def test_many_files_are_counted() -> None:
    report = make_report()
    report.files = [FileSummary(f"{number}.jsonl", 10) for number in range(25)]
    assert "+5 more files: 50 rows" in show(report)


def test_what_makes_the_run_fail_comes_next() -> None:
    report = make_report(make_finding(1, "T202"))
    assert show(report, fail_on="error").splitlines()[-1].startswith("Next: dataprep convert")
    assert show(report, fail_on="warning").splitlines()[-1] == "Next: dataprep explain T202"
    report.num_rows_with_errors = 7  # accepted by a baseline
    assert show(report).splitlines()[-1].endswith(" --out shards --on-bad skip --max-bad-ratio 0.07")


def test_the_next_command_names_the_model_that_was_given(tmp_path: Path) -> None:
    text = show(make_report(), lint=LintConfig(model=tmp_path / "my model"))
    assert text.splitlines()[-1].endswith(f"--for MODEL_TYPE --model '{tmp_path}/my model' --out shards")


def test_the_next_command_finds_the_media_again(tmp_path: Path) -> None:
    lint_config = LintConfig(media_root=tmp_path)
    assert show(make_report(), lint=lint_config).splitlines()[-1].endswith(f" --out shards --media-root {tmp_path}")
    fix = Fix(label="mend", is_safe=True)
    report = make_report(make_finding(1, fix=fix))
    assert show(report, lint=lint_config).splitlines()[-1].endswith(f" --media-root {tmp_path} --fix")


def test_notes_are_counted_where_there_are_some() -> None:
    report = make_report(make_finding(1, "M308"))
    assert report.count(Severity.INFO) == 1
    assert "0 errors and 0 warnings, 1 note; conversion would reject 0 of 100 rows" in show(report)
