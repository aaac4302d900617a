"""InternVL's meta files: they stand for their data files, each with its own media root."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert, lint, open_shards
from dataprep.config import FileRoot, FixConfig, LintConfig
from dataprep.errors import SourceError
from dataprep.linting_run import LintRun, run_lint
from dataprep.metas import expand_metas, read_meta
from tests.dataprep.conversions import make_options, read_table, write_png, write_rows


def conversation(image: str, answer: str = "Red.") -> dict[str, Any]:
    turns = [{"from": "human", "value": "<image>\nWhat colour?"}, {"from": "gpt", "value": answer}]
    return {"id": 0, "image": image, "width": 24, "height": 24, "conversations": turns}


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    """Two data sets, whose images bear the same names in different folders."""
    for name, red in (("one", 200), ("two", 30)):
        write_png(tmp_path / "data" / name / "pictures" / "a.png", (red, 0, 0))
        write_rows(tmp_path / "data" / name / "rows.jsonl", [conversation("a.png", f"Red {red}.")])
    return write_meta(tmp_path)


def write_meta(folder: Path, **changes: Any) -> Path:
    entries = {
        name: {
            "root": f"data/{name}/pictures/", "annotation": f"data/{name}/rows.jsonl",
            "data_augment": False, "repeat_time": 1, "length": 1, **changes,
        }
        for name in ("one", "two")
    }  # fmt: skip
    path = folder / "meta.json"
    path.write_text(json.dumps(entries, indent=2), encoding="utf-8")
    return path


def test_lint_reads_the_data_files_of_a_meta(meta: Path) -> None:
    report = lint([str(meta)])
    assert report.findings == []
    assert report.num_rows == 2
    assert [Path(summary.path).parent.name for summary in report.files] == ["one", "two"]


def test_conversion_takes_each_image_from_its_own_root(meta: Path, tmp_path: Path) -> None:
    convert([str(meta)], tmp_path / "out", make_options())
    shards = open_shards(tmp_path / "out")
    assert [entry.path for entry in shards.manifest.sources] == ["one/rows.jsonl", "two/rows.jsonl"]
    assert len(read_table(tmp_path / "out" / "media-00000.arrow")) == 2


def test_a_meta_and_its_files_give_the_same_samples(meta: Path, tmp_path: Path) -> None:
    convert([str(meta)], tmp_path / "meta-out", make_options())
    for name in ("one", "two"):
        folder = tmp_path / "data" / name
        options = make_options(media_root=folder / "pictures")
        convert([str(folder / "rows.jsonl")], tmp_path / name, options)
    columns = ("input_ids", "labels", "row_hash")

    def samples(name: str) -> list[list[Any]]:
        rows = read_table(tmp_path / name / "samples-00000.arrow")
        return [[row[column] for column in columns] for row in rows]

    assert samples("meta-out") == samples("one") + samples("two")


def test_paths_start_at_the_meta_or_else_at_the_working_folder(
    meta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "shell"
    moved.mkdir()
    meta.rename(moved / "meta.json")
    with pytest.raises(SourceError, match=r"'one' names the data file data/one/rows.jsonl, which is neither below"):
        lint([str(moved / "meta.json")])
    monkeypatch.chdir(tmp_path)
    assert lint(["shell/meta.json"]).findings == []


def test_a_relative_root_starts_at_the_media_root_if_there_is_one(meta: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    for name in ("one", "two"):
        write_png(tmp_path / "store" / "data" / name / "pictures" / "a.png", (1, 2, 3))
    _, config = expand_metas([str(meta)], LintConfig(media_root=tmp_path / "store"))
    assert [entry.root.parts[-4] for entry in config.media_roots] == ["store", "store"]


def test_without_a_root_media_lie_beside_the_rows(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    rows = write_rows(tmp_path / "rows.jsonl", [conversation("a.png")])
    path = tmp_path / "meta.json"
    path.write_text(json.dumps({"x": {"annotation": "rows.jsonl"}}))
    files, config = expand_metas([str(path)], LintConfig())
    assert files == [rows]
    assert config.media_roots == (FileRoot(rows, tmp_path, str(path)),)


def test_validation_files_may_be_metas(meta: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "train.jsonl", [{"query": "q", "response": "r"}])
    files, config = expand_metas([rows], LintConfig(val=(str(meta),)))
    assert files == [rows]
    assert [Path(path).name for path in config.val] == ["rows.jsonl", "rows.jsonl"]


def test_what_is_not_applied_is_told(tmp_path: Path, meta: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_meta(tmp_path, repeat_time=0.5, data_augment=True, max_dynamic_patch=6)
    with caplog.at_level(logging.WARNING):
        assert lint([str(meta)]).num_rows == 2
    told = "\n".join(record.message for record in caplog.records)
    assert "repeat_time 0.5 of 'one' is not applied: every row is read once" in told
    assert "data_augment of 'two' is not applied" in told
    assert "max_dynamic_patch of 'one' not read" in told
    caplog.clear()
    write_meta(tmp_path)
    lint([str(meta)])
    assert caplog.records == []


def test_one_file_with_two_roots_is_refused(tmp_path: Path, meta: Path) -> None:
    write_meta(tmp_path, annotation="data/one/rows.jsonl")
    with pytest.raises(SourceError, match=r"rows.jsonl has the root .*two/pictures in 'two' and .*one/pictures"):
        lint([str(meta)])


def test_a_root_that_is_no_folder_is_named(tmp_path: Path, meta: Path) -> None:
    write_meta(tmp_path, root="gone/")
    with pytest.raises(SourceError, match="names the media root gone/, which is neither below"):
        lint([str(meta)])


@pytest.mark.parametrize(
    "text",
    [
        '{"query": "q", "response": "r"}',
        "[]",
        "{}",
        '{"a": {"root": "x"}}',
        '{"a": {"annotation": "x"},}',
        "{",
        "[" * 5000,
    ],
)
def test_other_files_are_no_metas(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    assert read_meta(str(path)) is None


def test_the_next_command_names_the_meta(meta: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_lint([str(meta)], LintRun()) == 0
    assert f"convert {meta} --for" in capsys.readouterr().out


def test_mended_copies_keep_their_media_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_png(tmp_path / "pictures" / "a.png", (1, 2, 3))
    row = conversation("a.png")
    write_rows(tmp_path / "rows.jsonl", [{"imge" if key == "image" else key: row[key] for key in row}])
    (tmp_path / "meta.json").write_text(json.dumps({"x": {"root": "pictures", "annotation": "rows.jsonl"}}))
    assert run_lint([str(tmp_path / "meta.json")], LintRun(fix=FixConfig(fix=True))) == 0
    assert f"rows.fixed.jsonl --for MODEL_TYPE --model DIR --out shards --media-root {tmp_path / 'pictures'}" in (
        capsys.readouterr().out
    )


def test_internvl_s_own_metas_are_recognised(real: Path) -> None:
    folder = real / "sft_demo" / "InternVL"
    read = {path.name.rpartition("__")[2]: read_meta(str(path)) for path in folder.glob("*.json")}
    assert set(read["coco_caption.json"] or {}) == {"coco_karpathy_train_567k"}
    assert len(read["internvl_1_2_finetune_custom.json"] or {}) > 5
    assert read["debug_mpo.json"] is None  # a comma too many: no JSON, for InternVL's own code neither
