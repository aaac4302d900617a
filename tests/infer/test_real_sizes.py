"""Every real architecture, built without memory: its parameters are those of the table and those published."""

from __future__ import annotations

from typing import Any

import pytest

from dataprep.architectures import ARCHITECTURES, Architecture
from dataprep.catalog import MODEL_TYPES
from infer.layouts import links
from infer.original_config import native_config
from infer.original_model import build_empty

_SCALING = {"internlm2": {"type": "dynamic", "factor": 2.0}}
_LONGROPE = {"type": "su", "short_factor": [1.0] * 48, "long_factor": [1.0] * 48}


def original_config(architecture: Architecture, language: str) -> dict[str, Any]:
    """Return a ``config.json`` as the model's repository has it, as far as the shapes depend on it."""
    vision, text = architecture.vision, architecture.language
    return {
        "model_type": "internvl_chat",
        "vision_config": {
            "hidden_size": vision.hidden_size,
            "num_hidden_layers": vision.num_layers,
            "num_attention_heads": vision.num_heads,
            "intermediate_size": vision.intermediate_size,
            "image_size": vision.image_size_px,
            "patch_size": vision.patch_size_px,
            "norm_type": "rms_norm" if vision.is_large else "layer_norm",
            "qkv_bias": not vision.is_large,
            "qk_normalization": vision.is_large,
        },
        "llm_config": {
            "model_type": language,
            "hidden_size": text.hidden_size,
            "num_hidden_layers": text.num_layers,
            "num_attention_heads": text.num_heads,
            "num_key_value_heads": text.num_key_value_heads,
            "intermediate_size": text.intermediate_size,
            "vocab_size": text.vocabulary,
            "max_position_embeddings": text.max_positions,
            "original_max_position_embeddings": 4096 if language == "phi3" else None,
            "rope_theta": text.rope_theta,
            "rope_scaling": _LONGROPE if language == "phi3" else _SCALING.get(language),
            "pad_token_id": 0,
            "eos_token_id": 2,
        },
    }


def test_every_model_type_has_its_sizes() -> None:
    assert ARCHITECTURES.keys() == MODEL_TYPES.keys()


@pytest.mark.parametrize("name", [name for name in MODEL_TYPES if name not in ("internvl-chat-v1_5-int8",)])
def test_parameters_are_those_of_the_built_model_and_those_published(name: str) -> None:
    known = MODEL_TYPES[name]
    settings = native_config(original_config(ARCHITECTURES[name], known.language_model), image_token_id=1)
    model = build_empty(settings)
    parameters = dict(model.named_parameters())
    assert all(parameter.device.type == "meta" for parameter in parameters.values())
    num_parameters = sum(parameter.numel() for parameter in parameters.values())
    assert num_parameters == ARCHITECTURES[name].num_parameters
    assert num_parameters == pytest.approx(known.num_parameters_billion * 1e9, rel=0.03)
    native = [tensor for link in links(settings, known.language_model) for tensor in link.native]
    assert sorted(native) == sorted(parameters)
