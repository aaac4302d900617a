"""The eleven model types: one table of what differs between them.

Tile settings here are the published ones (448 px, 256 context tokens); a model folder's own ``config.json``
goes first (see :func:`dataprep.tokenization.read_tile_settings`).
Source: the model registry of ms-swift 2.6.1 (types, templates, hub ids, abilities) and the model cards of
OpenGVLab for the parameter counts.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from dataprep.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelType:
    """One model type.

    Attributes:
        name: As given to ``--for`` and ``--model-type``.
        template: Key of the chat template.
        box_family: How a box is written: ``internvl2`` or ``v1_5``.
        has_video: Whether videos may occur.
        has_separate_images: Whether text may stand between images and images may occur in several turns.
        language_model: Architecture of the language model.
        num_parameters_billion: Published number of parameters.
        huggingface_id: Repository on Hugging Face.
        modelscope_id: Repository on ModelScope.
        tile_size_px: Side of a tile.
        tokens_per_tile: Context tokens that stand for one tile.
        max_num: Most tiles per image, thumbnail not counted.
    """

    name: str
    template: str
    box_family: str
    has_video: bool
    has_separate_images: bool
    language_model: str
    num_parameters_billion: float
    huggingface_id: str
    modelscope_id: str
    tile_size_px: int = 448
    tokens_per_tile: int = 256
    max_num: int = 12


def _v1_5(name: str, template: str, language_model: str, parameters: float, *ids: str) -> ModelType:
    return ModelType(
        name=name,
        template=template,
        box_family="v1_5",
        has_video=False,
        has_separate_images=False,
        language_model=language_model,
        num_parameters_billion=parameters,
        huggingface_id=ids[0],
        modelscope_id=ids[-1],
    )


def _internvl2(suffix: str, template: str, language_model: str, parameters: float) -> ModelType:
    hub_id = "OpenGVLab/InternVL2-" + {"llama3-76b": "Llama3-76B"}.get(suffix, suffix.upper())
    return ModelType(
        name=f"internvl2-{suffix}",
        template=template,
        box_family="internvl2",
        has_video=True,
        has_separate_images=True,
        language_model=language_model,
        num_parameters_billion=parameters,
        huggingface_id=hub_id,
        modelscope_id=hub_id,
    )


_CHAT_V1_5 = ("OpenGVLab/InternVL-Chat-V1-5", "AI-ModelScope/InternVL-Chat-V1-5")
_MINI = "OpenGVLab/Mini-InternVL-Chat-"

MODEL_TYPES: dict[str, ModelType] = {
    model_type.name: model_type
    for model_type in (
        _v1_5("internvl-chat-v1_5", "internvl", "internlm2", 25.5, *_CHAT_V1_5),
        _v1_5("internvl-chat-v1_5-int8", "internvl", "internlm2", 25.5, *(f"{i}-int8" for i in _CHAT_V1_5)),
        _v1_5("mini-internvl-chat-2b-v1_5", "internvl", "internlm2", 2.2, f"{_MINI}2B-V1-5"),
        _v1_5("mini-internvl-chat-4b-v1_5", "internvl-phi3", "phi3", 4.2, f"{_MINI}4B-V1-5"),
        _internvl2("1b", "internvl2", "qwen2", 0.94),
        _internvl2("2b", "internvl2", "internlm2", 2.2),
        _internvl2("4b", "internvl2-phi3", "phi3", 4.2),
        _internvl2("8b", "internvl2", "internlm2", 8.1),
        _internvl2("26b", "internvl2", "internlm2", 25.5),
        _internvl2("40b", "internvl2", "llama", 40.1),
        _internvl2("llama3-76b", "internvl2", "llama", 76.3),
    )
}


def get_model_type(name: str) -> ModelType:
    """Return a model type by name.

    Raises:
        ConfigError: If there is no such type; the message names the nearest ones.
    """
    # Options may be written with dashes throughout, so v1-5 means v1_5.
    found = MODEL_TYPES.get(name) or {n.replace("_", "-"): m for n, m in MODEL_TYPES.items()}.get(name)
    if found is None:
        near = difflib.get_close_matches(name, MODEL_TYPES, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of: {', '.join(MODEL_TYPES)}"
        raise ConfigError(f"unknown model type {name!r}; {hint}")
    return found
