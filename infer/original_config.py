"""The ``config.json`` of an original InternVL folder -> the native configuration of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import InternVLConfig

from dataprep.architectures import Architecture, LanguageModel
from infer.errors import ModelError

_LANGUAGE_TYPES = {"internlm2": "llama", "llama": "llama", "phi3": "phi3", "qwen2": "qwen2"}
"""Original language model type -> the native one that has the same arithmetic."""

_TEXT_FIELDS = (
    "attention_bias",
    "attention_dropout",
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "max_window_layers",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "original_max_position_embeddings",
    "pad_token_id",
    "rms_norm_eps",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
)
_VISION_FIELDS = (
    "attention_dropout",
    "hidden_act",
    "hidden_size",
    "image_size",
    "initializer_range",
    "intermediate_size",
    "layer_norm_eps",
    "norm_type",
    "num_attention_heads",
    "num_channels",
    "num_hidden_layers",
    "patch_size",
)


def is_original(config: Mapping[str, Any]) -> bool:
    """Whether a ``config.json`` is that of an original InternVL folder."""
    return config.get("model_type") == "internvl_chat"


def language_type(config: Mapping[str, Any]) -> str:
    """Return the type of an original folder's language model, such as ``internlm2``.

    Raises:
        ModelError: If it is not one of those that InternVL was published with.
    """
    llm = config.get("llm_config") or {}
    name = llm.get("model_type") or _TYPE_OF_CLASS.get(next(iter(llm.get("architectures") or [""])), "")
    if name not in _LANGUAGE_TYPES:
        raise ModelError(
            f"config.json names a language model of type {name or 'none'!r}; known are {', '.join(_LANGUAGE_TYPES)}"
        )
    return str(name)


_TYPE_OF_CLASS = {
    "InternLM2ForCausalLM": "internlm2",
    "LlamaForCausalLM": "llama",
    "Phi3ForCausalLM": "phi3",
    "Qwen2ForCausalLM": "qwen2",
}


def native_config(config: Mapping[str, Any], *, image_token_id: int) -> InternVLConfig:
    """Return the native configuration that computes what an original folder's own code does.

    Args:
        config: The original ``config.json``.
        image_token_id: Id of ``<IMG_CONTEXT>``, which only the tokenizer knows.

    Raises:
        ModelError: If the folder needs something that the native model does not compute.
    """
    _refuse_unknown(config)
    vision, llm = config["vision_config"], config["llm_config"]
    kind = language_type(config)
    size, patch = vision["image_size"], vision["patch_size"]
    ratio = float(config.get("downsample_ratio", 0.5))
    return InternVLConfig(
        vision_config={name: vision[name] for name in _VISION_FIELDS if name in vision}
        | {"attention_bias": vision["qkv_bias"], "use_qk_norm": vision["qk_normalization"]},
        text_config=_text_config(llm, kind),
        image_token_id=image_token_id,
        image_seq_length=int((size // patch) ** 2 * ratio**2),
        downsample_ratio=ratio,
        projector_hidden_act="gelu",
        vision_feature_layer=config.get("select_layer", -1),
        vision_feature_select_strategy="default",
        tie_word_embeddings=bool(llm.get("tie_word_embeddings", False)),
    )


def _refuse_unknown(config: Mapping[str, Any]) -> None:
    for name, wanted in (("ps_version", "v2"), ("pad2square", False)):
        if config.get(name, wanted) != wanted:
            raise ModelError(f"config.json has {name} {config[name]!r}; only {wanted!r} is computed here")
    for name in ("vision_config", "llm_config"):
        if not isinstance(config.get(name), dict):
            raise ModelError(f"config.json has no {name}; it is not that of an InternVL folder")


def _text_config(llm: Mapping[str, Any], kind: str) -> dict[str, Any]:
    fields = {name: llm[name] for name in _TEXT_FIELDS if llm.get(name) is not None}
    fields["model_type"] = _LANGUAGE_TYPES[kind]
    if kind == "internlm2":
        fields["attention_bias"] = bool(llm.get("bias", False))
    scaling = llm.get("rope_scaling")
    if scaling:
        scaling = dict(scaling)
        name = scaling.pop("type", None) or scaling.pop("rope_type")
        # Phi-3's "su" was renamed when transformers took it over.
        fields["rope_scaling"] = scaling | {"rope_type": "longrope" if name == "su" else name}
    return fields


_SCALING = {"internlm2": {"type": "dynamic", "factor": 2.0}}


def example_config(architecture: Architecture, language: str) -> dict[str, Any]:
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
            "rope_scaling": _longrope(text) if language == "phi3" else _SCALING.get(language),
            "pad_token_id": 0,
            "eos_token_id": 2,
        },
    }


def _longrope(text: LanguageModel) -> dict[str, Any]:
    factors = [1.0] * (text.hidden_size // text.num_heads // 2)
    return {"type": "su", "short_factor": factors, "long_factor": factors}
