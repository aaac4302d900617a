"""The original layout: the native model computes what the original code does, and both layouts hold the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from infer.checkpoint_files import INDEX_NAME, CheckpointFiles, write_checkpoint
from infer.errors import ModelError
from infer.layouts import Fused, Grouped, links, to_native, to_original
from infer.model import ModelOptions, load_model
from infer.original_config import language_type, native_config
from infer.original_model import build_empty, fill, read_context_id

NAMES = (
    "internvl-chat-v1_5",
    "internvl2-1b",
    "internvl2-26b",
    "internvl2-40b",
    "internvl2-4b",
    "internvl2-8b",
    "mini-internvl-chat-2b-v1_5",
    "mini-internvl-chat-4b-v1_5",
)
CONTEXT_ID = 300
TOLERANCE = 1e-4
OPTIONS = ModelOptions(device="cpu", dtype="float32", attention="sdpa")


@pytest.fixture
def folders(fixtures: Path) -> Path:
    """Return the folder of tiny checkpoints."""
    return fixtures / "checkpoints"


def expected_of(folder: Path) -> dict[str, torch.Tensor]:
    """Return what the original code gave."""
    return load_file(folder / "expected.safetensors")


def plan_of(folder: Path) -> tuple[Any, list[Any]]:
    """Return the native configuration and the links of a checkpoint."""
    config = json.loads((folder / "config.json").read_text())
    native = native_config(config, image_token_id=CONTEXT_ID)
    return native, links(native, language_type(config))


class Held:
    """Tensors in memory."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors = tensors

    def names(self) -> set[str]:
        return set(self.tensors)

    def read(self, name: str) -> torch.Tensor:
        return self.tensors[name]


@pytest.mark.parametrize("name", NAMES)
def test_features_logits_and_greedy_tokens_are_those_of_the_original_code(folders: Path, name: str) -> None:
    model = load_model(folders / name, OPTIONS, image_token_id=CONTEXT_ID)
    want = expected_of(folders / name)
    pixels = want["pixel_values"]
    with torch.no_grad():
        features = model.model.get_image_features(pixel_values=pixels).pooler_output
        assert torch.allclose(features.reshape(want["vit_embeds"].shape), want["vit_embeds"], atol=TOLERANCE, rtol=0)
        for ids, logits in (("input_ids", "logits"), ("long_input_ids", "long_logits")):
            found = model(input_ids=want[ids], pixel_values=pixels).logits
            assert torch.allclose(found, want[logits], atol=TOLERANCE, rtol=0)
        ids, answer = want["input_ids"], []
        for _ in range(want["greedy_ids"].shape[1]):
            logits = model(input_ids=ids, pixel_values=pixels).logits[:, -1]
            logits[:, CONTEXT_ID] = -torch.inf
            answer.append(logits.argmax(-1))
            ids = torch.cat([ids, answer[-1][:, None]], dim=1)
    assert torch.stack(answer, dim=1).tolist() == want["greedy_ids"].tolist()


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back_is_the_same_to_the_bit(folders: Path, name: str, tmp_path: Path) -> None:
    source = CheckpointFiles(folders / name)
    _, plan = plan_of(folders / name)
    write_checkpoint(tmp_path, to_native(source, plan), most_bytes=20_000)
    assert (tmp_path / INDEX_NAME).is_file()
    back = dict(to_original(CheckpointFiles(tmp_path), plan))
    assert set(back) == source.names()
    for tensor, value in back.items():
        assert torch.equal(value, source.read(tensor))
        assert value.dtype == source.read(tensor).dtype


def test_sharded_and_whole_checkpoints_give_the_same_model(folders: Path, tmp_path: Path) -> None:
    folder = folders / "internvl2-8b"
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    tensors = load_file(folder / "model.safetensors")
    write_checkpoint(tmp_path, tensors.items(), most_bytes=30_000)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 3
    whole, sharded = (load_model(path, OPTIONS, image_token_id=CONTEXT_ID) for path in (folder, tmp_path))
    assert whole.state_dict().keys() == sharded.state_dict().keys()
    assert all(torch.equal(value, sharded.state_dict()[name]) for name, value in whole.state_dict().items())


def test_each_tensor_keeps_its_type_unless_another_is_asked_for(folders: Path) -> None:
    folder = folders / "internvl2-1b"
    native, plan = plan_of(folder)
    halves = Held({k: v.bfloat16() if "mlp" in k else v for k, v in load_file(folder / "model.safetensors").items()})
    assert {v.dtype for _, v in to_native(halves, plan)} == {torch.bfloat16, torch.float32}
    for asked, found in ((None, {torch.bfloat16, torch.float32}), (torch.float16, {torch.float16})):
        model = build_empty(native)
        fill(model, halves, "qwen2", device=torch.device("cpu"), dtype=asked)
        assert {parameter.dtype for parameter in model.parameters()} == found


def test_a_missing_and_an_unknown_tensor_are_named(folders: Path) -> None:
    tensors = load_file(folders / "internvl2-4b" / "model.safetensors")
    _, plan = plan_of(folders / "internvl2-4b")
    tensors["extra"] = tensors.pop("mlp1.0.bias")
    with pytest.raises(ModelError, match=r"1 tensors are missing, such as mlp1\.0\.bias; 1 are not known"):
        next(to_native(Held(tensors), plan))


def test_a_matrix_of_another_size_is_refused() -> None:
    rows = torch.zeros(10, 4)
    with pytest.raises(ModelError, match=r"q has 10 rows, config\.json says 9"):
        Fused(("q",), ("a", "b", "c"), (3, 3, 3)).to_native([rows])
    with pytest.raises(ModelError, match=r"q has 10 rows, config\.json says 16"):
        Grouped(("q",), ("a", "b", "c"), 2, 2, 2).to_native([rows])


def test_grouped_rows_are_taken_group_by_group() -> None:
    rows = torch.arange(8)[:, None]
    queries, keys, values = Grouped(("w",), ("q", "k", "v"), groups=2, queries=2, head=1).to_native([rows])
    assert (queries[:, 0].tolist(), keys[:, 0].tolist(), values[:, 0].tolist()) == ([0, 1, 4, 5], [2, 6], [3, 7])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ps_version": "v1"}, "ps_version 'v1'; only 'v2'"),
        ({"pad2square": True}, "pad2square True"),
        ({"llm_config": {"model_type": "gpt2"}}, "language model of type 'gpt2'"),
        ({"vision_config": None}, "no vision_config"),
    ],
)
def test_what_the_native_model_does_not_compute_is_refused(folders: Path, change: dict, message: str) -> None:
    config = json.loads((folders / "internvl2-1b" / "config.json").read_text()) | change
    with pytest.raises(ModelError, match=message):
        native_config(config, image_token_id=CONTEXT_ID)


def test_the_context_token_is_found_in_the_tokenizer_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"copy added_tokens\.json or tokenizer\.json"):
        read_context_id(tmp_path)
    token = {"content": "<IMG_CONTEXT>", "id": 7}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": {"5": token}}))
    assert read_context_id(tmp_path) == 5
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [token]}))
    assert read_context_id(tmp_path) == 7
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<IMG_CONTEXT>": 9}))
    assert read_context_id(tmp_path) == 9


def test_an_index_that_leaves_its_folder_or_names_lost_files_is_refused(tmp_path: Path) -> None:
    for file, message in (
        ("../x.safetensors", "no safetensors file of this folder"),
        ("x.safetensors", "lacks 1 files"),
    ):
        (tmp_path / INDEX_NAME).write_text(json.dumps({"weight_map": {"w": file}}))
        with pytest.raises(ModelError, match=message):
            CheckpointFiles(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match=r"model\.safetensors cannot be read"):
        CheckpointFiles(tmp_path)


def test_files_hold_no_more_than_asked_and_plain_readers_open_them(tmp_path: Path) -> None:
    tensors = {f"t{i}": torch.full((10,), float(i)) for i in range(7)}
    assert write_checkpoint(tmp_path, tensors.items(), most_bytes=80) == 280
    files = sorted(tmp_path.glob("*.safetensors"))
    assert [path.name for path in files] == [f"model-0000{n}-of-00004.safetensors" for n in range(1, 5)]
    index = json.loads((tmp_path / INDEX_NAME).read_text())
    assert index["metadata"]["total_size"] == 280
    for name, tensor in tensors.items():
        with safe_open(tmp_path / index["weight_map"][name], "pt") as file:
            assert torch.equal(file.get_tensor(name), tensor)
    assert not list(tmp_path.glob("*.part"))


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="came twice"):
        write_checkpoint(tmp_path, [("a", torch.zeros(1)), ("a", torch.zeros(1))])
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    assert CheckpointFiles(tmp_path).names() == {"a"}
