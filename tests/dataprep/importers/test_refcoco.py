"""RefCOCO: the forms in which its phrases go around, and the one that is never loaded."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataprep.errors import ConfigError, SourceError
from dataprep.importers.account import ImportAccount
from dataprep.importers.image_folder import ImageFolder
from dataprep.importers.refcoco import read_refcoco
from dataprep.importers.rows import ImportConfig
from tests.dataprep.conversions import write_png
from tests.dataprep.importers.making import boxes_of, rows_of, write_json

NAME = "COCO_train2014_000000581857.png"
GROUND = ImportConfig(task="ground")
REF = {
    "ref_id": 0, "ann_id": 1719310, "image_id": 581857, "split": "train", "category_id": 1,
    "file_name": "COCO_train2014_000000581857_16.png",
    "sentences": [{"sent": "lower left corner", "raw": "Lower left", "sent_id": 0, "tokens": []}, {"sent": "darkness"}],
}  # fmt: skip
INSTANCES = {
    "images": [{"id": 581857, "file_name": NAME, "width": 40, "height": 30}],
    "annotations": [{"id": 1719310, "image_id": 581857, "bbox": [1, 2, 10, 20], "category_id": 1}],
    "categories": [],
}


def read(folder: Path, value: Any, **options: Any) -> tuple[list[dict[str, Any]], ImportAccount]:
    write_png(folder / NAME, (1, 2, 3), (40, 30))
    path, account = write_json(folder / "refs.json", value), ImportAccount()
    return rows_of(read_refcoco(path, ImageFolder(folder), account, **options), account, GROUND), account


def test_refs_take_their_boxes_from_the_instances(tmp_path: Path) -> None:
    instances = write_json(tmp_path / "instances.json", INSTANCES)
    rows, account = read(tmp_path, [REF], instances=instances)
    assert boxes_of(rows) == [("lower left corner", [1, 2, 11, 22]), ("darkness", [1, 2, 11, 22])]
    assert all((row["images"], row["width"], row["height"]) == ([NAME], 40, 30) for row in rows)
    assert (account.annotations_in, account.annotations_out, account.damage) == (2, 2, {})
    with pytest.raises(ConfigError, match="--instances"):
        read(tmp_path, [REF])


SIZE = {"width": 40, "height": 30}
CORNERS, CORNER_AND_SIZE = {"bbox": [1, 2, 11, 22]}, {"bbox": [1, 2, 10, 20]}
INFO = json.dumps({"file_name": NAME, **SIZE})
FORMS = {
    "shikra": {"img_path": NAME, "expression": "left", **CORNERS, **SIZE},
    "internvl": {"image": f"data/train2014/{NAME}", "sent": "left", **CORNERS, **SIZE},
    "minigpt-4": {"img_id": "COCO_train2014_000000581857_4", "sents": "left", **CORNER_AND_SIZE, **SIZE},
    "lmms-eval": {"file_name": NAME, "answer": ["left"], **CORNER_AND_SIZE},
    "hub": {"image_path": f"coco/{NAME}", "sentences": [{"sent": "left"}], **CORNERS, "raw_image_info": INFO},
}


@pytest.mark.parametrize("ref", FORMS.values(), ids=FORMS)
def test_forms_of_one_box_per_object(tmp_path: Path, ref: dict[str, Any]) -> None:
    if "img_id" in ref:
        write_png(tmp_path / "COCO_train2014_000000581857.jpg", (1, 2, 3), (40, 30))
    rows, account = read(tmp_path, [ref])
    assert boxes_of(rows) == [("left", [1, 2, 11, 22])]
    assert account.damage == {}
    assert rows[0]["query"].endswith("<ref-object>")
    assert rows[0]["response"] == "<bbox>"


def test_an_unknown_form_needs_to_be_told_how_boxes_are_written(tmp_path: Path) -> None:
    ref = {"img_path": NAME, "sent": "left", "bbox": [1, 2, 10, 20]}
    with pytest.raises(ConfigError, match="say with --box whether bbox is xyxy"):
        read(tmp_path, [ref])
    assert boxes_of(read(tmp_path, [ref], box_form="xywh")[0]) == [("left", [1, 2, 11, 22])]
    assert boxes_of(read(tmp_path, [ref], box_form="xyxy")[0]) == [("left", [1, 2, 10, 20])]


def test_splits_phrases_and_annotations_that_are_left_out_are_counted(tmp_path: Path) -> None:
    instances = write_json(tmp_path / "instances.json", INSTANCES)
    refs = [REF, REF | {"split": "val"}, REF | {"sentences": []}, REF | {"ann_id": 5}]
    rows, account = read(tmp_path, refs, instances=instances, split="train")
    assert len(rows) == 2
    assert account.left_out == {"split other than train": 2, "no phrase": 1, "annotation not in --instances": 2}
    assert account.annotations_in == 7


def test_parquet_is_read_without_its_pictures(tmp_path: Path) -> None:
    write_png(tmp_path / NAME, (1, 2, 3), (40, 30))
    ref = {"image_path": NAME, "sentences": [{"sent": "left"}, {"sent": "low"}], "bbox": [1.0, 2.0, 11.0, 22.0]}
    pq.write_table(pa.Table.from_pylist([ref | {"image": {"bytes": b"x"}}]), tmp_path / "refs.parquet")
    account = ImportAccount()
    images = read_refcoco(tmp_path / "refs.parquet", ImageFolder(tmp_path), account)
    assert boxes_of(rows_of(images, account, GROUND)) == [("left", [1, 2, 11, 22]), ("low", [1, 2, 11, 22])]


def test_parquet_may_name_its_images(tmp_path: Path) -> None:
    write_png(tmp_path / NAME, (1, 2, 3), (40, 30))
    pq.write_table(
        pa.Table.from_pylist([{"image": NAME, "sent": "left", "bbox": [1, 2, 11, 22]}]), tmp_path / "r.parquet"
    )
    account = ImportAccount()
    rows = rows_of(read_refcoco(tmp_path / "r.parquet", ImageFolder(tmp_path), account), account, GROUND)
    assert (rows[0]["images"], boxes_of(rows)) == ([NAME], [("left", [1, 2, 11, 22])])


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SourceError, match="no Parquet file"):
        list(read_refcoco(tmp_path / "r.parquet", ImageFolder(tmp_path), ImportAccount()))


class _Trap:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was loaded')",)


@pytest.mark.parametrize("name", ["refs(unc).p", "refs.json", "refs.pkl"])
def test_a_pickle_is_never_loaded(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(_Trap()))
    with pytest.raises(SourceError, match="a Python pickle, which can run any code") as caught:
        list(read_refcoco(tmp_path / name, ImageFolder(tmp_path), ImportAccount()))
    assert "--instances instances.json" in str(caught.value)


@pytest.mark.parametrize("value", [[5], [{"img_path": NAME, "expression": [5], "bbox": [1, 2, 3, 4]}], "text"])
def test_other_files_are_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(SourceError, match="refs"):
        read(tmp_path, value)
