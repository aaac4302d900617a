"""The table of model types, for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from dataprep.architectures import ARCHITECTURES, memory_need
from dataprep.catalog import MODEL_TYPES, ModelType


def models_object() -> list[dict[str, Any]]:
    """Return what is known of each model type, for JSON."""
    return [
        asdict(model_type)
        | {
            "num_parameters": ARCHITECTURES[name].num_parameters,
            "vision_tower": ARCHITECTURES[name].vision.name,
            "language_model_name": ARCHITECTURES[name].language.name,
            "abilities": _abilities(model_type),
            "memory_gb": asdict(memory_need(name)),
        }
        for name, model_type in MODEL_TYPES.items()
    ]


def print_models(console: Console) -> None:
    """Print the model types: what they are and need, then where they are."""
    table = Table("model type", "parameters", "images in", "video", "inference", "LoRA", "full", box=None)
    for column in (*table.columns[1:2], *table.columns[4:]):
        column.justify = "right"
    for name, model_type in MODEL_TYPES.items():
        need = memory_need(name)
        table.add_row(
            name,
            f"{ARCHITECTURES[name].num_parameters / 1e9:.2f} B",
            "any turn" if model_type.has_separate_images else "one turn",
            "yes" if model_type.has_video else "no",
            *(f"{gb:,.1f} GB" for gb in (need.inference, need.lora, need.full)),
        )
    console.print(table)
    console.print(_NOTE, soft_wrap=True, highlight=False)
    table = Table("model type", "template", "Hugging Face, or else ModelScope", box=None)
    for name, model_type in MODEL_TYPES.items():
        ids = dict.fromkeys([model_type.huggingface_id, model_type.modelscope_id])
        table.add_row(name, model_type.template, "\n".join(ids))
    console.print(table)


_NOTE = """
All take images and boxes: up to 12 tiles of 448 x 448 pixels an image and a thumbnail, 256 tokens each.
Memory is that of weights, gradients and optimizer (bfloat16, AdamW); activations come on top.
"""


def _abilities(model_type: ModelType) -> list[str]:
    abilities = ["images", "boxes"]
    if model_type.has_separate_images:
        abilities.append("images in several turns")
    if model_type.has_video:
        abilities.append("video")
    return abilities
