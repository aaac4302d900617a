"""Settings survive JSON, and wrong ones are refused in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from train.config import TrainConfig
from train.errors import TrainError

BASE = TrainConfig(shards=("a", "b"), model="m", out="o")


def test_settings_survive_json() -> None:
    changed = replace(BASE, max_steps=3, lora_target_modules=("q_proj", "LLM"), use_flash_attn=False, save_steps=None)
    assert TrainConfig.from_json(json.loads(json.dumps(changed.to_json()))) == changed
    assert TrainConfig.from_json({"shards": ["a", "b"], "model": "m", "out": "o", "epochs": 1}) == BASE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sharts": ["a"]}, "setting 'sharts' is unknown"),
        ({"seed": "7"}, "setting seed is '7'"),
        ({"packing": 1}, "setting packing is 1"),
        ({"sft_type": "qlora"}, "setting sft_type is 'qlora'"),
        ({"seed": None}, "setting seed is None"),
    ],
)
def test_a_wrong_file_is_refused(content: dict[str, object], message: str) -> None:
    with pytest.raises(TrainError, match=message):
        TrainConfig.from_json({"shards": ["a"], "model": "m", "out": "o"} | content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pack_length": 0}, "pack_length is 0; it must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0"),
        ({"sft_type": "qlora"}, "choose one of lora, full"),
        ({"lora_dropout": 1.0}, "lora_dropout is 1.0"),
        ({"freeze_vision": True}, "freeze options are for --sft-type full"),
        ({"shards": ()}, "no shard directory"),
        (
            {"sft_type": "full", "freeze_vision": True, "freeze_projector": True, "freeze_language": True},
            "nothing is left to train",
        ),
    ],
)
def test_a_wrong_value_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainError, match=message):
        replace(BASE, **changes)
