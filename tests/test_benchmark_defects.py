"""The defect benchmark plants what it says and counts what lint finds; clean rows made up here stand for real ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from benchmarks import defects
from benchmarks.mutators.base import MUTATORS, Row, codes
from benchmarks.mutators.harness import Outcome, run_all
from benchmarks.mutators.seeds import Seeds, arrange

FOUND_BY_EVERY_RELEASE = {
    "brace-missing": "P001",
    "raw-line-break": "P001",
    "array-not-closed": "P009",
    "byte-order-mark": "P006",
    "field-image": "S103",
    "two-user-turns": "S102",
    "one-tag-too-many": "T201",
    "file-missing": "M301",
    "pipe-for-a-file": "M302",
    "turned-by-exif-with-boxes": "G410",
    "box-beyond-the-right": "G402",
    "text-too-long": "L601",
}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory, goldens: Path) -> Seeds:
    root = tmp_path_factory.mktemp("seeds")
    text: list[Row] = [{"query": f"What is {n} and one?", "response": f"It is {n + 1}."} for n in range(20)]
    shutil.copyfile(goldens / "videos" / "v30.mp4", root / "v30.mp4")
    boxes: list[list[Row]] = [[], [], []]
    for number in range(20):
        name, left, top = f"{number}.jpg", 40 + 20 * number, 60 + 7 * number
        image = Image.new("RGB", (640, 480), (10 * number, 90, 60))
        ImageDraw.Draw(image).rectangle((left, top, left + 120, top + 90), fill=(250, 250, 10 * number))
        image.save(root / name)
        box = [left, top, left + 120, top + 90]
        shares = [round(value / (640, 480)[index % 2], 6) for index, value in enumerate(box)]
        spaces = {"real": box, "norm_1": shares, "norm_1000": [round(value * 1000) for value in shares]}
        for rows, (kind, numbers) in zip(boxes, spaces.items(), strict=True):
            entry = {"caption": f"sheet {number}", "bbox": numbers, "bbox_type": kind, "image": 0}
            row = {"query": "Find <ref-object>", "response": "<bbox>", "images": [name]}
            rows.append(row | {"objects": json.dumps([entry])})
    questions = [
        {"query": f"<image>Which shade has sheet {n}?", "response": f"Shade {n}.", "images": [f"{n}.jpg"]}
        for n in range(20)
    ]
    two = [
        {
            "query": "<image> and <image>: find <ref-object> and <ref-object>",
            "response": "<bbox> <bbox>",
            "images": [f"{n}.jpg", f"{n + 1}.jpg"],
            "objects": json.dumps([json.loads(boxes[0][n + step]["objects"])[0] | {"image": step} for step in (0, 1)]),
        }
        for n in range(19)
    ]
    videos = [{"query": "<video>What moves?", "response": "A dot.", "videos": ["v30.mp4"]}]
    return Seeds(root, arrange(text, questions, boxes, two, videos))


@pytest.fixture(scope="module")
def outcomes(seeds: Seeds, tmp_path_factory: pytest.TempPathFactory, fixtures: Path) -> dict[str, Outcome]:
    work = tmp_path_factory.mktemp("work") / "run"
    tokenizer = fixtures / "goldens" / "tokenizer_nobos"
    found = run_all(seeds, work, list(FOUND_BY_EVERY_RELEASE), tokenizer=tokenizer)
    return {outcome.mutator.name: outcome for outcome in found}


@pytest.mark.parametrize(("name", "code"), FOUND_BY_EVERY_RELEASE.items())
def test_a_planted_defect_is_found_and_nothing_else(outcomes: dict[str, Outcome], name: str, code: str) -> None:
    outcome = outcomes[name]
    assert outcome.error == ""
    assert outcome.planted == outcome.caught > 0
    assert outcome.seen[code] > 0
    assert outcome.false_alarms == {}


def test_a_mutator_of_the_wrong_code_counts_as_a_miss_and_a_false_alarm(
    seeds: Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setitem(MUTATORS, "brace-missing", replace(MUTATORS["brace-missing"], codes=("P008",)))
    (outcome,) = run_all(seeds, tmp_path / "run", ["brace-missing"])
    assert (outcome.planted, outcome.caught) == (8, 0)
    assert outcome.false_alarms == {"P001": 8}
    total = defects.score([outcome])
    assert (total.recall, total.precision) == (0.0, 0.0)


def test_figures_are_printed_per_rule_and_in_total(
    outcomes: dict[str, Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(defects, "run_all", lambda *args, **kwargs: list(outcomes.values()))
    monkeypatch.setattr(defects, "load_real", lambda folder: None)
    (tmp_path / "real_rows").mkdir()
    sound = {"query": "q", "response": "r"}
    (tmp_path / "real_rows" / "rows_one.jsonl").write_text(json.dumps(sound) + "\n" + json.dumps(sound | {"imag": 1}))
    (tmp_path / "real_rows" / "rows_bad.jsonl").write_text("{")
    assert defects.main([str(tmp_path), "--json", str(tmp_path / "figures.json")]) == 0
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["total"]["recall"] == figures["total"]["precision"] == 1.0
    assert set(figures["mutators"]) == set(FOUND_BY_EVERY_RELEASE)
    assert figures["rules"]["G402"]["planted"] == 8
    assert "12 mutators" in printed
    assert (figures["clean"]["files"], figures["clean"]["rows"]) == (1, 2)
    assert figures["clean"]["rules"]["S103"] == {"severity": "error", "findings": 1, "files": 1}
    assert "clean files: 1 files, 2 rows" in printed
    assert "100.0%" in printed


def test_every_mutator_says_what_users_suffer_from_and_names_codes() -> None:
    assert len(MUTATORS) >= 70
    for mutator in MUTATORS.values():
        assert mutator.pain.endswith((".", "?")), mutator.name
        assert mutator.codes, mutator.name


def test_codes_are_written_as_ranges() -> None:
    assert codes("P001 G412-G414") == ("P001", "G412", "G413", "G414")
