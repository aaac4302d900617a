"""What is said about data sets as a whole: rows without media, one answer for all, one label for all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dataprep import lint
from dataprep.config import LintConfig, RuleConfig
from dataprep.findings import Finding

Row = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    return tmp_path


def find(code: str, folder: Path, rows: list[Row]) -> list[Finding]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return lint([str(path)], LintConfig(rules=RuleConfig(select=(code,)))).findings


def text_row(number: int, response: str = "") -> Row:
    return {"query": f"{number}?", "response": response or f"{number}."}


def image_row(*captions: str) -> Row:
    objects = [{"caption": name, "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0} for name in captions]
    answer = "<ref-object>" * len(captions) or "Red."
    return {"query": "<image>What?", "response": answer, "images": ["a.png"], "objects": objects}


def test_c701_text_only_rows_among_others(folder: Path) -> None:
    (finding,) = find("C701", folder, [*map(text_row, range(30)), *[image_row()] * 10])
    assert "30 of 40 rows (75%)" in finding.message
    assert finding.location.line == 0
    assert not find("C701", folder, [*map(text_row, range(19)), *[image_row()] * 10]), "too few to speak of"
    assert not find("C701", folder, [text_row(number) for number in range(30)]), "text only on purpose"


def test_c702_one_answer_for_most_rows(folder: Path) -> None:
    rows = [text_row(number, "No." if number % 3 else "") for number in range(120)]
    (finding,) = find("C702", folder, rows)
    assert "the answer 'No.' is given in 80 of 120 rows (67%, first here)" in finding.message
    assert finding.location.line == 2
    assert not find("C702", folder, [text_row(number, "No." if number % 2 else "Yes.") for number in range(120)])
    assert not find("C702", folder, rows[:99])


def test_c702_tags_are_no_answers(folder: Path) -> None:
    rows = [image_row(f"thing {number}") for number in range(120)]
    assert not find("C702", folder, rows), "every answer is <ref-object>, but each becomes another text"


@pytest.mark.parametrize(
    ("counts", "speaks"),
    [({"car": 250, "bike": 2}, True), ({"car": 170, "bike": 60}, False), ({"car": 101, "bike": 99, "cat": 1}, True)],
)
def test_c703_labels(folder: Path, counts: dict[str, int], speaks: bool) -> None:
    findings = find("C703", folder, [image_row(name) for name, count in counts.items() for _ in range(count)])
    assert bool(findings) == speaks
    if speaks:
        most = max(counts.values())
        assert f"'car' is the caption of {most} of {sum(counts.values())} objects" in findings[0].message


def test_c703_is_not_about_free_text(folder: Path) -> None:
    assert not find("C703", folder, [image_row(f"the {number}th thing", "car") for number in range(300)])
