"""The eleven model types."""

from __future__ import annotations

import pytest

from dataprep.catalog import MODEL_TYPES, get_model_type
from dataprep.errors import ConfigError
from dataprep.templates import TEMPLATES

TEMPLATE_OF = {
    "internvl-chat-v1_5": "internvl",
    "internvl-chat-v1_5-int8": "internvl",
    "mini-internvl-chat-2b-v1_5": "internvl",
    "mini-internvl-chat-4b-v1_5": "internvl-phi3",
    "internvl2-1b": "internvl2",
    "internvl2-2b": "internvl2",
    "internvl2-4b": "internvl2-phi3",
    "internvl2-8b": "internvl2",
    "internvl2-26b": "internvl2",
    "internvl2-40b": "internvl2",
    "internvl2-llama3-76b": "internvl2",
}


def test_the_table_is_complete() -> None:
    assert {name: model_type.template for name, model_type in MODEL_TYPES.items()} == TEMPLATE_OF
    assert {model_type.template for model_type in MODEL_TYPES.values()} == set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATE_OF)
def test_abilities_go_with_the_family(name: str) -> None:
    model_type = get_model_type(name)
    is_v2 = name.startswith("internvl2")
    assert model_type.name == name
    assert model_type.has_video is model_type.has_separate_images is is_v2
    assert model_type.box_family == ("internvl2" if is_v2 else "v1_5")
    assert (model_type.tile_size_px, model_type.tokens_per_tile, model_type.max_num) == (448, 256, 12)


@pytest.mark.parametrize(
    ("name", "huggingface_id", "modelscope_id"),
    [
        ("internvl-chat-v1_5", "OpenGVLab/InternVL-Chat-V1-5", "AI-ModelScope/InternVL-Chat-V1-5"),
        ("internvl-chat-v1_5-int8", "OpenGVLab/InternVL-Chat-V1-5-int8", "AI-ModelScope/InternVL-Chat-V1-5-int8"),
        ("mini-internvl-chat-4b-v1_5", "OpenGVLab/Mini-InternVL-Chat-4B-V1-5", "OpenGVLab/Mini-InternVL-Chat-4B-V1-5"),
        ("internvl2-8b", "OpenGVLab/InternVL2-8B", "OpenGVLab/InternVL2-8B"),
        ("internvl2-llama3-76b", "OpenGVLab/InternVL2-Llama3-76B", "OpenGVLab/InternVL2-Llama3-76B"),
    ],
)
def test_hub_ids(name: str, huggingface_id: str, modelscope_id: str) -> None:
    model_type = MODEL_TYPES[name]
    assert (model_type.huggingface_id, model_type.modelscope_id) == (huggingface_id, modelscope_id)


def test_names_may_be_written_with_dashes_throughout() -> None:
    assert get_model_type("mini-internvl-chat-2b-v1-5") is MODEL_TYPES["mini-internvl-chat-2b-v1_5"]


def test_an_unknown_name_gets_the_nearest_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown model type 'internvl2-8B'; did you mean internvl2-8b"):
        get_model_type("internvl2-8B")
    with pytest.raises(ConfigError, match="choose one of: internvl-chat-v1_5, "):
        get_model_type("llava")
