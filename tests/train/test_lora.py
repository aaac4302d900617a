"""Which layers get adapters, which parameters train, and at which rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from infer.model import ModelOptions, load_model
from train.config import TrainConfig
from train.errors import TrainError
from train.lora import (
    add_adapters,
    count_parameters,
    lora_layers,
    parameter_groups,
    part_of,
    trained_parameters,
    unfreeze_parts,
)


@pytest.fixture
def model(model_dir: Path) -> Any:
    return load_model(model_dir, ModelOptions(device="cpu", dtype="bfloat16"))


def test_default_is_q_k_v_of_the_language_model(model: Any) -> None:
    layers = lora_layers(model, ("DEFAULT",))
    assert layers == [
        f"model.language_model.layers.{layer}.self_attn.{name}"
        for layer in (0, 1)
        for name in ("q_proj", "k_proj", "v_proj")
    ]


def test_llm_adds_the_projector_and_all_adds_the_vision_tower(model: Any) -> None:
    llm, every = lora_layers(model, ("LLM",)), lora_layers(model, ("ALL",))
    assert len(llm) == 2 * 7 + 2
    assert {part_of(name) for name in llm} == {"language", "projector"}
    assert len(every) == len(llm) + 2 * 6
    assert not any("lm_head" in name for name in every)


def test_names_choose_layers_and_unknown_ones_are_refused(model: Any) -> None:
    assert lora_layers(model, ("down_proj", "linear_1")) == [
        "model.multi_modal_projector.linear_1",
        "model.language_model.layers.0.mlp.down_proj",
        "model.language_model.layers.1.mlp.down_proj",
    ]
    with pytest.raises(TrainError, match=r"'wqkv' names no linear layer; choose .* q_proj"):
        lora_layers(model, ("DEFAULT", "wqkv"))


def test_adapters_are_float32_and_the_only_ones_that_train(model: Any, lora_config: TrainConfig) -> None:
    adapted = add_adapters(model, lora_config)
    trained = dict(trained_parameters(adapted))
    assert all("lora_" in name for name in trained)
    assert {value.dtype for value in trained.values()} == {torch.float32}
    counts = count_parameters(adapted)
    assert counts["trained"] == sum(value.numel() for value in trained.values()) < counts["all"]


def test_frozen_parts_keep_the_small_type(model: Any, config: TrainConfig) -> None:
    unfreeze_parts(model, replace(config, freeze_vision=True), torch.bfloat16)
    for name, value in model.named_parameters():
        is_vision = part_of(name) == "vision"
        assert value.requires_grad is not is_vision
        assert value.dtype == (torch.bfloat16 if is_vision else torch.float32)


def test_each_part_has_its_rate_and_vectors_do_not_decay(model: Any, config: TrainConfig) -> None:
    changed = replace(config, vision_learning_rate=1e-5, projector_learning_rate=1e-2, weight_decay=0.1)
    unfreeze_parts(model, changed, torch.float32)
    names = {id(value): name for name, value in model.named_parameters()}
    rates = {"vision": 1e-5, "projector": 1e-2, "language": config.learning_rate}
    groups = parameter_groups(model, changed)
    for group in groups:
        for value in group["params"]:
            assert group["peak_lr"] == rates[part_of(names[id(value)])]
            assert group["weight_decay"] == (0.1 if value.ndim >= 2 else 0.0)
    assert sum(len(group["params"]) for group in groups) == len(names)
