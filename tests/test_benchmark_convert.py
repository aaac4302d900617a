"""The benchmark of convert runs and measures what it says; its figures are for people, no test looks at them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import convert as benchmark
from benchmarks import convert_workloads as workloads
from benchmarks.convert_jobs import JOBS, render_texts
from benchmarks.convert_peers import _for_swift, write_swift_model
from dataprep.config import LintConfig
from dataprep.linting import lint

ROWS = {"text": workloads.text_rows, "grounding": workloads.grounding_rows, "images": workloads.image_rows}


@pytest.fixture(autouse=True, scope="module")
def _few_training_texts() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    for name, value in (
        ("_TRAINING_BYTES", 1 << 17),
        ("_CHINESE_TEXTS", 5),
        ("_VOCABULARY", 600),
        ("NUM_SHARED_IMAGES", 4),
    ):
        patch.setattr(workloads, name, value)
    for cached in (workloads._training_texts, workloads.word_counts):
        cached.cache_clear()
    yield
    patch.undo()
    for cached in (workloads._training_texts, workloads.word_counts):
        cached.cache_clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, _few_training_texts: None) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    workloads.write_model(folder / "model")
    workloads.write_images(folder / "images", 6)
    for name, rows in ROWS.items():
        workloads.write_rows(folder / f"{name}.jsonl", rows(6))
    return folder


@pytest.mark.parametrize("name", ROWS)
def test_workloads_are_clean_and_the_same_each_time(folder: Path, tmp_path: Path, name: str) -> None:
    again = tmp_path / "again.jsonl"
    assert workloads.write_rows(again, ROWS[name](6)) == 6
    assert again.read_bytes() == (folder / f"{name}.jsonl").read_bytes()
    options = LintConfig(level=2, media_root=folder, no_cache=True)
    assert [f.message for f in lint([str(again)], options).findings if f.severity.name == "ERROR"] == []


def test_no_text_and_no_image_comes_twice(folder: Path) -> None:
    lines = (folder / "text.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(set(lines)) == 6
    assert len({path.read_bytes() for path in (folder / "images").iterdir()}) == 6


@pytest.mark.parametrize("name", ROWS)
def test_each_side_takes_every_row(folder: Path, name: str) -> None:
    source, texts = folder / f"{name}.jsonl", folder / f"{name}.texts"
    assert render_texts(str(folder / "model"), source, texts) > 6 * 20
    assert JOBS["tokenize"](str(folder / "model"), str(texts))() == 6
    for media in ("link", "embed"):
        assert JOBS["convert"](str(folder / "model"), str(source), media, "1")() == 6


def test_datasets_map_gives_the_ids_of_convert(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("transformers")
    from dataprep.conversion import convert
    from dataprep.shards.reader import open_shards
    from tests.dataprep.conversions import make_options

    made: list[Any] = []
    plain_map = datasets.Dataset.map
    monkeypatch.setattr(
        datasets.Dataset, "map", lambda self, *a, **k: made.append(list(plain_map(self, *a, **k))) or made[-1]
    )
    source, model = folder / "grounding.jsonl", folder / "model"
    assert JOBS["map"](str(model), str(source))() == 6
    convert([str(source)], folder / "shards", make_options(model=model, media="link"))
    shards = open_shards(folder / "shards")
    for number, row in enumerate(made[0]):
        sample = shards[number]
        assert row["input_ids"] == sample.input_ids.tolist()
        assert row["labels"] == sample.labels.tolist()


def test_rows_for_swift_name_their_media_and_objects(folder: Path, tmp_path: Path) -> None:
    row = json.loads((folder / "grounding.jsonl").read_text(encoding="utf-8").splitlines()[0])
    made = _for_swift(row, folder)
    assert Path(made["images"][0]).is_file()
    assert len(made["objects"]["ref"]) == len(made["objects"]["bbox"]) == len(row["objects"])
    model = write_swift_model(folder / "model", tmp_path / "model")
    assert json.loads((model / "config.json").read_text(encoding="utf-8"))["model_type"] == "internvl_chat"


def test_the_table_says_what_is_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Any, ...]] = []

    def run(job: str, *arguments: Any) -> dict[str, float]:
        asked.append((job, *arguments))
        seconds = {"convert": 1.0, "tokenize": 0.8, "map": 15.0}[job] / (2 if arguments[-1] == 2 else 1)
        return {"rows": 10, "wall_s": seconds, "cpu_s": seconds, "peak_mb": 100.0}

    monkeypatch.setattr(benchmark, "_run", run)
    monkeypatch.setattr(
        benchmark, "export_with_swift", lambda *_: {"rows": 10, "wall_s": 40.0, "cpu_s": 40.0, "peak_mb": 900.0}
    )
    sizes = ["--rows", "4", "--images", "4", "--memory-rows", "4", "--rounds", "2", "--swift", "python"]
    benchmark.main([*sizes, "--json", str(tmp_path / "figures.json"), "--folder", str(tmp_path)])
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    printed = capsys.readouterr().out
    assert {job for job, *_ in asked} == {"convert", "tokenize", "map"}
    assert [line["is_met"] for line in figures if line["peer"] == "ms-swift 4"] == [None, False, False, False, False]
    assert [line["is_met"] for line in figures if line["peer"] == "1 process"] == [True] * 5
    assert [line["is_met"] for line in figures if line["peer"] == "memory, MB"] == [True, True]
    assert "missed" in printed
    assert printed.splitlines()[-1].endswith("12 aims met, 8 missed")
