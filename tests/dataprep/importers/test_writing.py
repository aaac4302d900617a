"""The command: rows and account on disk, whole or not at all, and rows that lint and convert."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dataprep import convert, lint, open_shards
from dataprep.cli import app
from dataprep.config import LintConfig
from dataprep.errors import ConfigError, SourceError
from dataprep.importers.rows import ImportConfig
from tests.dataprep.conversions import make_options, write_png
from tests.dataprep.importers.making import coco, write_json


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["import", *map(str, arguments)], catch_exceptions=False)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_png(tmp_path / "pictures" / "a.png", (1, 2, 3), (40, 30))
    return write_json(
        tmp_path / "coco.json", coco({"bbox": [1, 2, 10, 20]}, {"bbox": [5, 5, 10, 20], "category_id": 2})
    )


def test_imported_rows_lint_clean_and_convert(source: Path, tmp_path: Path) -> None:
    printed = run("coco", source, "--images", tmp_path / "pictures", "--out", tmp_path / "rows.jsonl")
    assert "2 annotations = 2 in the rows + 0 left out" in printed
    assert f"next: dataprep lint {tmp_path / 'rows.jsonl'}\n" in printed
    assert rows_in(tmp_path / "rows.jsonl")[0]["images"] == ["pictures/a.png"]
    assert lint([str(tmp_path / "rows.jsonl")]).findings == []
    convert([str(tmp_path / "rows.jsonl")], tmp_path / "shards", make_options())
    (sample,) = open_shards(tmp_path / "shards")
    assert (
        sample.response
        == "<ref>cat</ref><box> [[24, 66, 274, 732]] </box>\n<ref>dog</ref><box> [[124, 166, 374, 832]] </box>"
    )


def test_images_elsewhere_need_a_media_root(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "rows.jsonl"
    printed = run("coco", source, "--images", tmp_path / "pictures", "--out", out)
    assert f"next: dataprep lint {out} --media-root {tmp_path / 'pictures'}" in printed
    assert lint([str(out)], LintConfig(media_root=tmp_path / "pictures")).findings == []


def test_the_account_lies_beside_the_rows_and_runs_are_alike(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    written = []
    for _ in range(2):
        run("coco", source, "--images", tmp_path / "pictures", "--out", out)
        written.append((out.read_bytes(), Path(f"{out}.import.json").read_bytes()))
    assert written[0] == written[1]
    account = json.loads(written[0][1])
    assert (account["format"], account["annotations_in"], account["annotations_out"]) == ("coco", 2, 2)
    assert (
        json.loads(run("coco", source, "--images", tmp_path / "pictures", "--out", out, "--format", "json")) == account
    )


def test_strict_writes_nothing_over_damage(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    out.write_text("old\n")
    write_json(source, coco({"bbox": [1, 2, 100, 20]}))
    with pytest.raises(SourceError, match="--strict: 1 x box outside its image"):
        run("coco", source, "--images", tmp_path / "pictures", "--out", out, "--strict")
    assert out.read_text() == "old\n"
    assert {path.name for path in tmp_path.iterdir()} == {"coco.json", "pictures", "rows.jsonl"}
    assert "damaged: box outside its image: 1" in run("coco", source, "--images", tmp_path / "pictures", "--out", out)
    assert [finding.code for finding in lint([str(out)]).findings] == ["G402"]


def test_a_task_without_rows_is_an_error(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no row for --task caption in 2 annotations \(2 no caption\)"):
        run("coco", source, "--images", tmp_path / "pictures", "--task", "caption", "--out", tmp_path / "rows.jsonl")
    assert not (tmp_path / "rows.jsonl").exists()


def test_text_from_the_annotations_cannot_move_the_cursor(source: Path, tmp_path: Path) -> None:
    write_json(source, coco({"bbox": [1, 2, 100, 20]}, categories=[{"id": 1, "name": "\x1b[2Jcat"}]))
    printed = run("coco", source, "--images", tmp_path / "pictures", "--out", tmp_path / "rows.jsonl")
    assert "\x1b" not in printed


def test_sizes_of_the_annotations_are_held_against_the_image(source: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "pictures" / "a.png", (1, 2, 3), (80, 60))  # resized since
    run("coco", source, "--images", tmp_path / "pictures", "--out", tmp_path / "rows.jsonl")
    assert {finding.code for finding in lint([str(tmp_path / "rows.jsonl")]).findings} == {"M319", "G423"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": "Find <bbox>"}, "speaks of all objects"),
        ({"answer": "<ref-object>"}, "must hold <bbox> once"),
        ({"query": "<image><image>"}, "may hold <image> once"),
        ({"task": "ground", "query": "Find it", "answer": "there"}, "must hold <bbox> once"),
        ({"task": "ground", "query": "<bbox>?", "answer": "<bbox>"}, "must hold <bbox> once"),
        ({"task": "caption", "query": "<ref-object>"}, "has no objects for"),
        ({"task": "caption", "answer": "x"}, "has no place"),
        ({"task": "ground", "negatives": True}, "--negatives"),
        ({"task": "describe"}, "expected detect, ground, caption"),
    ],
)
def test_templates_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ImportConfig(**options)


def test_other_names_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in .jsonl"):
        run("coco", source, "--images", tmp_path / "pictures", "--out", tmp_path / "rows.json")
    with pytest.raises(SourceError, match="no such file"):
        run("coco", tmp_path / "gone.json", "--out", tmp_path / "rows.jsonl")
    refs = tmp_path / "refs.jsonl"
    refs.write_text('{"img_path": "a.png", "expression": "cat", "bbox": [1, 2, 11, 22]}\n')
    with pytest.raises(ConfigError, match="would be replaced"):
        run("refcoco", refs, "--images", tmp_path / "pictures", "--out", refs)
    with pytest.raises(ConfigError, match="no folder of images"):
        run("coco", source, "--images", tmp_path / "gone", "--out", tmp_path / "rows.jsonl")


# The other formats, from the command to shards


def write_voc(folder: Path) -> list[object]:
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "a.xml").write_text(
        "<annotation><filename>a.png</filename><size><width>40</width><height>30</height></size><object><name>cat</name>"
        "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>11</xmax><ymax>22</ymax></bndbox></object></annotation>"
    )
    return ["voc", folder / "Annotations", "--origin", 1]


def write_yolo(folder: Path) -> list[object]:
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("0 0.15 0.4 0.25 0.666667\n")
    (folder / "data.yaml").write_text("names: [cat]\n")
    return ["yolo", folder / "labels"]


def write_refcoco(folder: Path) -> list[object]:
    ref = {"img_path": "a.png", "expression": "cat", "bbox": [1, 2, 11, 22], "width": 40, "height": 30}
    (folder / "refs.jsonl").write_text(json.dumps(ref) + "\n")
    return ["refcoco", folder / "refs.jsonl", "--query", "<image>List", "--answer", "<ref-object><bbox>"]


def write_coco(folder: Path) -> list[object]:
    return ["coco", write_json(folder / "coco.json", coco({"bbox": [1, 2, 10, 20]}))]


@pytest.mark.parametrize("write", [write_coco, write_voc, write_yolo, write_refcoco])
def test_one_box_in_each_format_gives_the_same_answer(tmp_path: Path, write: Callable[[Path], list[object]]) -> None:
    write_png(tmp_path / "pictures" / "a.png", (1, 2, 3), (40, 30))
    out = tmp_path / "rows.jsonl"
    run(*write(tmp_path), "--images", tmp_path / "pictures", "--out", out)
    assert lint([str(out)]).findings == []
    convert([str(out)], tmp_path / "shards", make_options())
    (sample,) = open_shards(tmp_path / "shards")
    # int(1/40*999), int(2/30*999), int(11/40*999), int(22/30*999)
    assert sample.response == "<ref>cat</ref><box> [[24, 66, 274, 732]] </box>"


# Real annotations


def check(out: Path, folder: Path, errors: set[str]) -> None:
    report = lint([str(out)], LintConfig(media_root=folder))
    assert {finding.code for finding in report.findings if finding.severity == "error"} == errors


def test_real_coco_files(real: Path, tmp_path: Path) -> None:
    folder = real / "grounding" / "coco_ccby"
    out = tmp_path / "rows.jsonl"
    for path in sorted(folder.glob("*.json")):
        for task in ("detect", "ground"):
            run("coco", path, "--images", folder / "images", "--task", task, "--out", out)
            account = json.loads(Path(f"{out}.import.json").read_text())
            assert account["annotations_in"] == len(json.loads(path.read_text())["annotations"])
            check(out, folder / "images", set())
    sahi = real / "grounding" / "sahi"
    run("coco", sahi / "terrain1_coco.json", "--images", sahi / "images", "--out", out)
    check(out, sahi / "images", set())


@pytest.mark.parametrize(
    ("group", "arguments"),
    [
        ("bccd", ["voc", "bccd/Annotations"]),
        ("chess", ["voc", "chess/Annotations"]),
        ("sahi", ["coco", "sahi/terrain1_coco.json", "--images", "sahi/images"]),
        ("coco128", ["yolo", "coco128/labels", "--classes", "classes.txt"]),
    ],
)
def test_boxes_are_those_that_others_found_in_the_same_files(
    real: Path, tmp_path: Path, group: str, arguments: list[str]
) -> None:
    classes = tmp_path / "classes.txt"
    classes.write_text("".join(f"class {number}\n" for number in range(80)))
    folder = real / "grounding"
    run(
        *(classes if a == "classes.txt" else folder / a if "/" in a else a for a in arguments),
        "--out",
        tmp_path / "r.jsonl",
    )
    found: dict[str, list[Any]] = {}
    for row in rows_in(tmp_path / "r.jsonl"):
        boxes = [box for e in row["objects"] for box in (e["bbox"] if isinstance(e["bbox"][0], list) else [e["bbox"]])]
        found.setdefault(row["images"][0], []).extend(boxes)
    entries = json.loads((real / "real_rows" / "EXPECTED_boxes.json").read_text(encoding="utf-8"))
    expected = [entry for entry in entries if entry["image"].startswith(f"grounding/{group}/")]
    assert expected
    for entry in expected:
        box = pytest.approx(entry["real_unrounded"], abs=0.01)
        assert any(other == box for other in found[Path(entry["image"]).name]), entry


def test_real_voc_files(real: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    bccd = real / "grounding" / "bccd"
    printed = run("voc", bccd / "Annotations", "--out", out)
    assert "damaged: box without area: 1" in printed
    assert "BloodImage_00338.xml" in printed
    check(out, bccd / "JPEGImages", {"G404"})
    chess = real / "grounding" / "chess"
    run("voc", chess / "Annotations", "--out", out, "--task", "ground")
    check(out, chess / "JPEGImages", set())


def test_real_yolo_files(real: Path, tmp_path: Path) -> None:
    names = tmp_path / "classes.txt"
    names.write_text("".join(f"class {number}\n" for number in range(80)))
    coco128 = real / "grounding" / "coco128"
    run("yolo", coco128 / "labels", "--classes", names, "--out", tmp_path / "rows.jsonl")
    check(tmp_path / "rows.jsonl", coco128 / "images", set())
    assert len(rows_in(tmp_path / "rows.jsonl")) == 1


def test_real_refcoco_refs(real: Path, tmp_path: Path) -> None:
    refs = real / "grounding" / "refcoco_subset.json"
    images = real / "sft_demo" / "Qwen3-VL" / "images"
    run("refcoco", refs, "--images", images, "--out", tmp_path / "rows.jsonl")
    rows = rows_in(tmp_path / "rows.jsonl")
    values = json.loads(refs.read_text())
    assert len(rows) == len(values)
    for row, ref in zip(rows, values, strict=True):
        x, y, width, height = ref["bbox"]
        assert row["objects"][0]["bbox"] == pytest.approx([x, y, x + width, y + height])
        assert row["objects"][0]["caption"] == ref["sents"]
    check(tmp_path / "rows.jsonl", images, {"M301"})
