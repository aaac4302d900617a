"""Choose what is trained: adapters on some linear layers, or some parts of the model in full.

A model has three parts, told apart by the names of its parameters: vision tower, projector, language model
(with the output layer). Trained parameters are kept in float32 whatever the compute type, since a 16-bit AdamW
step is mostly rounded away.
"""

from collections.abc import Iterator
from typing import Any

import torch

from infer.model import base_model, known_peft_warnings
from train.config import TrainConfig
from train.errors import TrainError

VISION = "vision"
PROJECTOR = "projector"
LANGUAGE = "language"

_ATTENTION_INPUTS = ("q_proj", "k_proj", "v_proj", "qkv_proj")
"""Query, key and value projections of the language models; Phi-3 has one fused layer."""


def part_of(name: str) -> str:
    """Return the part (`VISION`, `PROJECTOR` or `LANGUAGE`) that a parameter or module belongs to."""
    if "vision_tower." in name:
        return VISION
    return PROJECTOR if "multi_modal_projector." in name else LANGUAGE


def lora_layers(model: Any, targets: tuple[str, ...]) -> list[str]:
    """Return the full names of the linear layers that get an adapter.

    Args:
        model: A native InternVL model.
        targets: ``DEFAULT``, ``LLM``, ``ALL`` and module names, joined.

    Raises:
        TrainError: If a target names no linear layer.
    """
    output_layer = model.get_output_embeddings()
    linears = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not output_layer
    ]
    chosen: set[str] = set()
    for target in targets:
        matches = [name for name in linears if _is_target(name, target)]
        if not matches:
            kinds = ", ".join(sorted({name.rpartition(".")[2] for name in linears}))
            raise TrainError(
                f"--lora-target-modules {target!r} names no linear layer; choose DEFAULT, LLM, ALL, or of {kinds}"
            )
        chosen.update(matches)
    return [name for name in linears if name in chosen]


def add_adapters(model: Any, config: TrainConfig) -> Any:
    """Return `model` wrapped with LoRA adapters, the only parameters that train."""
    from peft import LoraConfig, get_peft_model  # takes a second to load, and full training does not need it

    layers = lora_layers(model, config.lora_target_modules)
    settings = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,  # type: ignore[arg-type]  # annotated int, used as a number
        lora_dropout=config.lora_dropout,
        target_modules=layers,
        bias="none",
    )
    with known_peft_warnings():
        return get_peft_model(model, settings)


def unfreeze_parts(model: Any, config: TrainConfig, frozen_dtype: torch.dtype) -> Any:
    """Train the parts that `config` does not freeze, in float32; keep the others in `frozen_dtype`."""
    frozen = {
        VISION: config.freeze_vision,
        PROJECTOR: config.freeze_projector,
        LANGUAGE: config.freeze_language,
    }
    for name, parameter in model.named_parameters():
        is_trained = not frozen[part_of(name)]
        parameter.requires_grad_(is_trained)
        parameter.data = parameter.data.to(torch.float32 if is_trained else frozen_dtype)
    return model


def trained_parameters(model: Any) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """Yield name and value of every parameter that trains."""
    yield from ((name, value) for name, value in model.named_parameters() if value.requires_grad)


def parameter_groups(model: Any, config: TrainConfig) -> list[dict[str, Any]]:
    """Return AdamW's parameter groups, one per (peak learning rate, decay).

    Each group holds ``peak_lr``, from which the loop sets ``lr`` at every step.
    """
    peaks = {
        VISION: config.vision_learning_rate or config.learning_rate,
        PROJECTOR: config.projector_learning_rate or config.learning_rate,
        LANGUAGE: config.learning_rate,
    }
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in trained_parameters(model):
        decay = config.weight_decay if parameter.ndim >= 2 else 0.0
        groups.setdefault((peaks[part_of(name)], decay), []).append(parameter)
    return [
        {"params": parameters, "lr": peak, "peak_lr": peak, "weight_decay": decay}
        for (peak, decay), parameters in groups.items()
    ]


def count_parameters(model: Any) -> dict[str, int]:
    """Return the number of trained and of all parameters."""
    parameters = list(base_model(model).parameters())
    return {
        "trained": sum(p.numel() for p in parameters if p.requires_grad),
        "all": sum(p.numel() for p in parameters),
    }


def _is_target(name: str, target: str) -> bool:
    if target == "ALL":
        return True
    if target == "LLM":
        return part_of(name) != VISION
    if target == "DEFAULT":
        return part_of(name) == LANGUAGE and name.rpartition(".")[2] in _ATTENTION_INPUTS
    return name == target or name.endswith(f".{target}")
