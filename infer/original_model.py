"""Load an original InternVL folder into the native model, a tensor at a time, without running its code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from accelerate.utils import set_module_tensor_to_device
from transformers import InternVLConfig, InternVLForConditionalGeneration

from infer.checkpoint_files import CheckpointFiles
from infer.errors import ModelError
from infer.layouts import Source, links, to_native
from infer.original_config import language_type, native_config

CONTEXT_TOKEN = "<IMG_CONTEXT>"


def load_original(
    folder: Path,
    config: Mapping[str, Any],
    *,
    device: torch.device,
    dtype: torch.dtype | None,
    attention: Any,
    image_token_id: int | None = None,
) -> Any:
    """Load an original folder into the native model.

    Args:
        folder: The folder.
        config: Its ``config.json``.
        device: Where the model is to be.
        dtype: Type of all weights; None keeps that of each tensor.
        attention: As transformers takes it.
        image_token_id: Id of ``<IMG_CONTEXT>``; None reads it from the folder's tokenizer files.

    Returns:
        The model on its device. The host holds one tensor at a time beside it.

    Raises:
        ModelError: If the folder is not what its configuration says, or the id is unknown.
    """
    token_id = read_context_id(folder) if image_token_id is None else image_token_id
    settings = native_config(config, image_token_id=token_id)
    model: Any = build_empty(settings, attention)
    fill(model, CheckpointFiles(folder), language_type(config), device=device, dtype=dtype)
    return model


def build_empty(settings: InternVLConfig, attention: Any = "sdpa") -> Any:
    """Build the native model on the meta device: shapes and types, and no memory."""
    # Buffers are small, are in no checkpoint, and must hold their numbers: rotary frequencies are computed once.
    with init_empty_weights(include_buffers=False):
        loader: Any = InternVLForConditionalGeneration
        return loader._from_config(settings, attn_implementation=attention)


def fill(model: Any, source: Source, language: str, *, device: torch.device, dtype: torch.dtype | None) -> None:
    """Give a model on the meta device the numbers of an original checkpoint.

    Raises:
        ModelError: If tensors are missing, left over, or of another shape.
    """
    plan = links(model.config, language)
    for name, tensor in to_native(source, plan):
        try:
            set_module_tensor_to_device(model, name, device, value=tensor, dtype=dtype or tensor.dtype)
        except ValueError as error:
            raise ModelError(f"{name} does not fit: {error}") from error
    model.tie_weights()
    empty = [name for name, parameter in model.named_parameters() if parameter.device.type == "meta"]
    if empty:
        raise ModelError(f"{len(empty)} weights of the model were not filled, such as {empty[0]}")
    model.to(device)  # the buffers


def read_context_id(folder: Path) -> int:
    """Return the id of ``<IMG_CONTEXT>`` from the tokenizer files of a folder.

    Raises:
        ModelError: If no file says it.
    """
    for name, entries in (
        ("added_tokens.json", lambda content: content.items()),
        ("tokenizer.json", lambda content: ((t["content"], t["id"]) for t in content["added_tokens"])),
        ("tokenizer_config.json", lambda c: ((t["content"], i) for i, t in c["added_tokens_decoder"].items())),
    ):
        path = folder / name
        if not path.is_file():
            continue
        try:
            found = dict(entries(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # the next file may say it
        if CONTEXT_TOKEN in found:
            return int(found[CONTEXT_TOKEN])
    raise ModelError(
        f"no tokenizer file in {folder} gives the id of {CONTEXT_TOKEN}; copy added_tokens.json or tokenizer.json from "
        "the model's repository into it"
    )
