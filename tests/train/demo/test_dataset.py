"""The data set: same bytes each time, healthy but for the planted defects, and nothing held out is trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from dataprep.config import LintConfig
from dataprep.findings import Severity
from dataprep.linting import lint
from tests.train.demo.conftest import SMALL
from train.demo.dataset import Dataset, write_dataset
from train.demo.model import MODEL_TYPE
from train.demo.rows import QUESTION_KINDS


def _hashes(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_settings_give_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    again = write_dataset(tmp_path / "again", SMALL)
    assert list(_hashes(again.train.parent)) == list(_hashes(dataset.train.parent))
    assert again.planted == dataset.planted


def test_lint_finds_the_planted_defects_and_nothing_else(dataset: Dataset) -> None:
    files = [str(path) for path in (dataset.first, dataset.train, dataset.val)]
    report = lint(files, LintConfig(model_type=MODEL_TYPE, max_num=1, system=""))
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    found = {(finding.location.path, finding.location.line): finding.code for finding in errors}
    assert found == {(str(dataset.train), line): code for line, code in dataset.planted.items()}
    assert report.num_rows == dataset.num_rows
    assert len(errors) == len(dataset.planted)
    # The detective speaks of the planted box outside its image, too, and notes the grid of the boxes in thousandths.
    assert {finding.code for finding in report.findings if finding not in errors} <= {"G419", "G420"}


def test_kinds_and_pictures_of_held_out_rows_stand_in_file_order(dataset: Dataset) -> None:
    rows = [json.loads(line) for line in dataset.val.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == len(dataset.val_kinds)
    assert set(dataset.val_kinds) <= set(QUESTION_KINDS)
    assert len(set(dataset.val_images)) == SMALL.num_val_scenes
    assert [row["images"][0] for row in rows] == list(dataset.val_images)


def test_no_held_out_picture_is_trained_on(dataset: Dataset) -> None:
    folder = dataset.train.parent
    held_out = {Image.open(folder / name).tobytes() for name in set(dataset.val_images)}
    trained = {Image.open(path).tobytes() for path in (folder / "images").glob("[ft]*.png")}
    assert len(held_out) == SMALL.num_val_scenes
    assert not held_out & trained


def test_rows_of_several_pictures_text_and_video_occur(dataset: Dataset) -> None:
    lines = dataset.train.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for number, line in enumerate(lines, 1) if number not in dataset.planted]
    assert any(len(row.get("images", [])) == 2 for row in rows)
    assert any(set(row) == {"query", "response"} for row in rows)
    assert sum("videos" in row for row in rows) == 1


def test_training_boxes_are_shares_of_the_picture(dataset: Dataset) -> None:
    boxes = dataset.train_boxes
    assert boxes.shape[1] == 4
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[:, :2] < boxes[:, 2:]).all()
