"""A model, a run and shards that do not belong together are told apart in words before anything is loaded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataprep.errors import ContractError
from dataprep.shards.manifest import read_manifest, write_manifest
from dataprep.shards.reader import Shards, open_shards
from dataprep.tokenization import load_tokenizer
from infer.contract import check_model, check_run, contract_record
from infer.conventions import RUN_CONFIG_NAME
from infer.errors import ModelError
from tests.factories import make_chat_sample, make_chat_shards, make_media


@pytest.fixture(scope="module")
def model_dir(goldens: Path) -> Path:
    """A folder that holds a tokenizer alone."""
    return goldens / "tokenizer_nobos"


@pytest.fixture
def shards(tmp_path: Path, model_dir: Path) -> Shards:
    sample = make_chat_sample(model_dir, 1, "<image>colour?", "red", images=[0])
    return open_shards(make_chat_shards(tmp_path / "shards", model_dir, [sample], [make_media()]))


def change(shards: Shards, fingerprint: str, **changes: Any) -> Shards:
    """Let the shards say that they were made otherwise."""
    manifest = read_manifest(shards.directory)
    prints = replace(manifest.fingerprints, **{fingerprint: "other"})
    write_manifest(shards.directory, replace(manifest, fingerprints=prints, **changes))
    return open_shards(shards.directory)


def write_run(folder: Path, **record: Any) -> Path:
    folder.mkdir()
    (folder / RUN_CONFIG_NAME).write_text(json.dumps({"shards": [record]}))
    return folder


def test_shards_of_a_model_fit_it(shards: Shards, model_dir: Path) -> None:
    check_model(model_dir, load_tokenizer(model_dir), shards)


def test_another_tokenizer_is_told(shards: Shards, goldens: Path) -> None:
    other = goldens / "tokenizer_bos"
    with pytest.raises(ContractError, match="shards does not fit the model: tokenizer: its fingerprint is") as caught:
        check_model(other, load_tokenizer(other), shards)
    assert f"retemplate {shards.directory} --for internvl2-8b --model {other}" in caught.value.repair


def test_shards_of_the_same_run_fit_it(shards: Shards, model_dir: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", contract=contract_record(shards))
    check_run(run, shards, model_dir=model_dir)
    check_run(run, change(shards, "labels", loss_mask="last-answer"), model_dir=model_dir)


def test_shards_that_ask_otherwise_are_told(shards: Shards, model_dir: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", contract=contract_record(shards))
    words = "does not fit the run: boxes: boxes are written in style internvl in the shards and swift in the run"
    with pytest.raises(ContractError, match=words) as caught:
        check_run(run, change(shards, "boxes", box_style="internvl"), model_dir=model_dir)
    assert f"--model {model_dir} --box-style swift --out " in caught.value.repair


def test_a_folder_without_a_record_says_nothing(shards: Shards, model_dir: Path, tmp_path: Path) -> None:
    check_run(tmp_path, shards, model_dir=model_dir)
    check_run(write_run(tmp_path / "old", path="shards"), shards, model_dir=model_dir)


@pytest.mark.parametrize("contract", [{"name": "the run"}, 3, []])
def test_a_damaged_record_is_told(shards: Shards, model_dir: Path, tmp_path: Path, contract: object) -> None:
    run = write_run(tmp_path / "run", contract=contract)
    with pytest.raises(ModelError, match="is not the record of a training run"):
        check_run(run, shards, model_dir=model_dir)
