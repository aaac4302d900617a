"""Real third-party rows and files: what is sound gives no error, what is damaged is found, and nothing crashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataprep import lint
from dataprep.config import LintConfig
from dataprep.findings import Finding, Severity

PARSE_ERRORS = {"P001", "P002", "P003", "P004", "P007", "P008", "P009"}
UNUSABLE = {"M302", "M303", "M306", "M307", "M310", "M318"}


@pytest.fixture(scope="module")
def clean_files(real_rows: Path) -> list[str]:
    """Data files whose rows are sound."""
    odd = ("missing", "bad", "nasty")
    files = [path for path in sorted(real_rows.glob("rows_*.json*")) if not any(word in path.name for word in odd)]
    assert len(files) > 10
    return [str(path) for path in files]


@pytest.mark.parametrize("level", [2, 3])
def test_sound_files_give_no_error(clean_files: list[str], real: Path, level: int) -> None:
    report = lint(clean_files, LintConfig(level=level, media_root=real))
    assert report.num_rows > 3000
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    assert [f"{finding.location} {finding.code} {finding.message}" for finding in errors] == []
    assert report.num_rows_with_errors == 0


def test_rows_without_their_media_say_so_once_per_reference(real: Path, real_rows: Path) -> None:
    path = real_rows / "rows_missing_media.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    report = lint([str(path)], LintConfig(level=3, media_root=real))
    assert report.num_rows_with_errors == len(rows) == 32
    found = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    assert {finding.code for finding in found} == {"M301", "V351"}
    assert len(found) == sum(len(row.get("images", [])) + len(row.get("videos", [])) for row in rows)


def test_the_box_without_area_of_a_real_annotation_is_found(real: Path, real_rows: Path) -> None:
    report = lint([str(real_rows / "rows_bad_boxes.jsonl")], LintConfig(level=3, media_root=real))
    assert [finding.code for finding in report.findings if finding.severity is Severity.ERROR] == ["G404"]


# Media files, held against what Pillow and PyAV said of them


@pytest.fixture(scope="module")
def facts(real_rows: Path) -> dict[str, dict[str, Any]]:
    media = json.loads((real_rows / "FACTS_media.json").read_text(encoding="utf-8"))["media"]
    return {entry["file"]: entry for entry in media}


@pytest.fixture(scope="module")
def found(real: Path, real_rows: Path) -> dict[str, list[Finding]]:
    """Findings at level 3 by the file that the row is about."""
    by_file: dict[str, list[Finding]] = {}
    for name in ("image", "video"):
        path = real_rows / f"rows_nasty_{name}.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        report = lint([str(path)], LintConfig(level=3, media_root=real))
        for number, row in enumerate(rows, start=1):
            by_file[row[f"{name}s"][0]] = [f for f in report.findings if f.location.line == number]
    return by_file


def codes_of(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


# Sixteen bits per channel, which Pillow opens as eight: its facts do not say so.
DEEP = {"nasty/image-rs/basn6a16.png", "nasty/pillow/apng__mode_16bit.png"}


def test_files_that_cannot_be_decoded_are_errors(
    facts: dict[str, dict[str, Any]], found: dict[str, list[Finding]]
) -> None:
    damaged = [file for file in found if facts[file].get("decodes") is False]
    assert len(damaged) >= 9
    for file in damaged:
        errors = {finding.code for finding in found[file] if finding.severity is Severity.ERROR}
        assert errors & UNUSABLE, file


def test_a_pixel_bomb_is_an_error(found: dict[str, list[Finding]]) -> None:
    assert "M306" in codes_of(found["nasty/pillow/decompression_bomb.gif"])


def test_damage_that_pillow_passes_over_is_found(found: dict[str, list[Finding]]) -> None:
    assert codes_of(found["nasty/pillow/broken_data_stream.png"]) & UNUSABLE
    # Its lines are torn apart: a person sees it at once, Pillow does not.
    assert codes_of(found["nasty/pillow/hopper_bad_exif.jpg"]) & UNUSABLE


@pytest.mark.parametrize(
    ("code", "holds"),
    [
        ("M308", lambda fact: fact.get("exif_orientation") in range(2, 9)),
        ("M311", lambda fact: fact.get("mode") == "CMYK"),
        ("M312", lambda fact: fact.get("mode") == "I;16" or fact["file"] in DEEP),
        ("M314", lambda fact: fact.get("frames", 1) > 1 and fact["format"] in ("GIF", "PNG", "WEBP")),
        ("M317", lambda fact: fact.get("ext_matches") is False),
    ],
)
def test_odd_files_have_their_own_code_and_others_do_not(
    facts: dict[str, dict[str, Any]], found: dict[str, list[Finding]], code: str, holds: Any
) -> None:
    usable = [file for file in found if facts[file].get("decodes")]
    expected = {file for file in usable if holds(facts[file])}
    assert len(expected) >= 1
    assert {file for file in usable if code in codes_of(found[file])} == expected


def test_ordinary_odd_files_give_no_error(facts: dict[str, dict[str, Any]], found: dict[str, list[Finding]]) -> None:
    """Files that the reference trains on without trouble, however odd, must stay convertible."""
    harmless = (
        "flower.jpg",
        "hopper_gray.jpg",
        "cat.jpg",
        "hopper.gif",
        "transparent.png",
        "p_16.png",
        "sugarshack.mpo",
    )
    for file, findings in found.items():
        if file.endswith(harmless):
            assert [f.code for f in findings if f.severity is Severity.ERROR] == [], file


def test_videos_shorter_than_the_frames_asked_for_are_found(
    facts: dict[str, dict[str, Any]], found: dict[str, list[Finding]]
) -> None:
    videos = {file for file in found if "codec" in facts[file]}
    short = {file for file in videos if facts[file]["frames_decoded"] < 8}
    assert {file for file in videos if "V354" in codes_of(found[file])} == short
    assert all(finding.severity is not Severity.ERROR for file in videos for finding in found[file])


# JSONTestSuite


@pytest.fixture(scope="module")
def suite(real: Path) -> list[Path]:
    files = sorted((real / "nasty" / "json").glob("[yni]_*.json"))
    assert len(files) > 150
    return files


OBJECT_OVER_LINES = "y_object_with_newlines.json"


def parse_codes(path: Path) -> set[str]:
    return codes_of(lint([str(path)], LintConfig(level=0)).findings) & PARSE_ERRORS


def test_files_that_parsers_must_accept_parse(suite: list[Path]) -> None:
    accepted = [path for path in suite if path.name.startswith("y_") and path.name != OBJECT_OVER_LINES]
    assert {path.name: parse_codes(path) for path in accepted if parse_codes(path)} == {}


def test_one_object_over_several_lines_is_called_that(suite: list[Path]) -> None:
    (path,) = [path for path in suite if path.name == OBJECT_OVER_LINES]
    assert codes_of(lint([str(path)], LintConfig(level=0)).findings) == {"P010"}


def test_files_that_parsers_must_refuse_are_findings(suite: list[Path]) -> None:
    refused = [path for path in suite if path.name.startswith("n_")]
    reports = {path.name: lint([str(path)], LintConfig(level=0)) for path in refused}
    assert [name for name, report in reports.items() if not report.has_errors] == []


def test_files_that_parsers_may_refuse_are_counted(suite: list[Path]) -> None:
    for path in suite:
        if path.name.startswith("i_"):
            report = lint([str(path)], LintConfig(level=0))
            assert report.num_rows >= 1, path.name


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_values_inside_a_row_are_accepted_and_refused_alike(suite: list[Path], tmp_path: Path, ending: str) -> None:
    """Each value of the suite as an unknown field of an otherwise sound row, in an array and in lines."""
    for path in suite:
        value = path.read_bytes().strip()
        if ending == ".jsonl":
            value = value.replace(b"\n", b" ") if path.name.startswith("y_") else value
        row = b'{"query": "q", "response": "r", "value": ' + value + b"}"
        data = tmp_path / f"rows{ending}"
        data.write_bytes(b"[" + row + b"]" if ending == ".json" else row + b"\n")
        found = codes_of(lint([str(data)], LintConfig(level=1)).findings)
        if path.name.startswith("y_"):
            assert found == set(), path.name
        elif path.name.startswith("n_"):
            assert found & PARSE_ERRORS, path.name
