"""Loading a model folder, refusing what is none, and holding a model against shards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dataprep.shards.reader import open_shards
from infer.errors import ModelError, ModelMismatchError
from infer.model import ModelOptions, check_fits, load_model, read_config, tokens_per_tile
from tests.factories import make_shards, make_tiny_model

CPU = ModelOptions(device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


def test_weights_come_back_in_the_type_asked_for(folder: Path) -> None:
    model = load_model(folder, ModelOptions(device="cpu", dtype="bf16"))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert not model.training
    again = load_model(folder, CPU)
    assert next(again.parameters()).dtype == torch.float32


def test_building_does_not_disturb_the_global_generator(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    make_tiny_model(tmp_path / "model", seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model folder .*nowhere does not exist; --model takes a local folder"):
        load_model(tmp_path / "nowhere", CPU)
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_model(tmp_path, CPU)


def test_an_original_folder_without_a_tokenizer_is_one_sentence(fixtures: Path) -> None:
    with pytest.raises(ModelError, match="gives the id of <IMG_CONTEXT>; copy"):
        load_model(fixtures / "checkpoints" / "internvl2-1b", CPU)


@pytest.mark.parametrize(
    ("content", "message"), [('{"model_type": "llama"}', "'llama'"), ("[1]", "None"), ("{", "cannot be read")]
)
def test_another_config_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=message):
        read_config(tmp_path)


def test_pickled_weights_are_not_opened(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"no \*\.safetensors weights; pickled weights are not opened"):
        load_model(tmp_path, CPU)


def test_damaged_or_incomplete_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    weights = (folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(tmp_path, CPU)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 3
    config["text_config"].pop("layer_types", None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match=r"lacks \d+ weights"):
        load_model(tmp_path, CPU)


def test_an_unknown_device_or_type_is_refused() -> None:
    with pytest.raises(ModelError, match="dtype 'fp8' is unknown"):
        ModelOptions(dtype="fp8").resolve_dtype()
    with pytest.raises(ModelError, match="device 'moon' is unknown"):
        ModelOptions(device="moon").resolve_device()


def test_an_adapter_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no adapter_config\.json; is the run finished\?"):
        load_model(folder, CPU, adapter=tmp_path)
    with pytest.raises(ModelError, match="full model: pass it as --model"):
        load_model(folder, CPU, adapter=folder)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="pickled adapters are not opened"):
        load_model(folder, CPU, adapter=tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tile_size_px": 448}, "tile size in pixels is 28 in the model and 448 in the shards"),
        ({"tokens_per_tile": 256}, "tokens per tile is 4 in the model and 256 in the shards"),
        ({"context_token_id": 8}, "context token is 9 in the model and 8 in the shards"),
        ({"eos_token_id": 128}, "of size 128 in the model and used up to id 128"),
    ],
)
def test_a_mismatch_shows_both_values(folder: Path, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    config = load_model(folder, CPU).config
    assert tokens_per_tile(config) == 4
    with pytest.raises(ModelMismatchError, match=message):
        check_fits(config, open_shards(make_shards(tmp_path / "shards", changes=changes)).manifest)
