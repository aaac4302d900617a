"""Generate answers for a batch of prompts, greedily.

Prompts are padded on the left; every row gets positions counted from its own first token and a mask that hides
the padding, so that a row's answer does not depend on its neighbours (equal text in float32, shown by a test).
Image features are computed once per prompt, in batches of tiles; the key/value cache grows with the answer. No
sampling, no streaming, no refilling of finished rows yet.

Letters: B rows, P prompt tokens (padded), V vocabulary, D hidden size.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from dataprep.shards.format import IGNORE_INDEX
from dataprep.shards.samples import Sample
from infer.errors import ModelError
from infer.inputs import normalise_tiles
from infer.model import base_model

_TILES_PER_CALL = 32
"""Tiles that go through the vision tower at once; bounds its activations (448 px: about 1 GB in bfloat16 for
ViT-300M)."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads before it answers.

    Attributes:
        input_ids: int32 or int64 (T,), context tokens expanded.
        tiles_NSSC: uint8 tiles in order of the placeholders, or None.
    """

    input_ids: np.ndarray
    tiles_NSSC: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationSettings:
    """When an answer ends."""

    stop_ids: tuple[int, ...]
    """Tokens that end an answer; they are not part of it."""
    max_new_tokens: int = 256
    """Most tokens of an answer, the stop token included."""


def prompt_ids(sample: Sample) -> np.ndarray:
    """Return a sample's ids up to its last answer: what comes before the last run of trained labels."""
    trained = np.flatnonzero(sample.labels != IGNORE_INDEX)
    if not len(trained):
        return sample.input_ids
    breaks = np.flatnonzero(np.diff(trained) > 1)
    start = trained[breaks[-1] + 1] if len(breaks) else trained[0]
    return sample.input_ids[:start]


@torch.inference_mode()
def generate(model: Any, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[list[int]]:
    """Answer each prompt by greedy decoding.

    Args:
        model: As `infer.model.load_model` returns it, in evaluation mode.
        prompts: At least one.
        settings: Stop tokens and the longest answer.

    Returns:
        Token ids of each answer, without the stop token.

    Raises:
        ModelError: If a prompt leaves no room in the model's context.
    """
    inner = base_model(model)
    _check_room(inner, prompts, settings)
    embeds_BPD, mask_BT = _left_pad(inner, prompts, settings)
    positions_BP = (mask_BT[:, : embeds_BPD.shape[1]].cumsum(1) - 1).clamp_(min=0)
    is_padded = len({len(prompt.input_ids) for prompt in prompts}) > 1
    cache = DynamicCache(config=inner.config.text_config)
    cache_name = _name_of_cache(inner.model.language_model)
    stop_ids = torch.tensor(settings.stop_ids, device=embeds_BPD.device)
    finished_B = torch.zeros(len(prompts), dtype=torch.bool, device=embeds_BPD.device)
    tokens_B: list[torch.Tensor] = []
    inputs, positions = {"inputs_embeds": embeds_BPD}, positions_BP
    for step in range(settings.max_new_tokens):
        num_seen = embeds_BPD.shape[1] + step
        output = inner.model.language_model(
            **inputs,
            attention_mask=mask_BT[:, :num_seen] if is_padded else None,
            position_ids=positions,
            **{cache_name: cache},
            use_cache=True,
        )
        next_B = _greedy(inner, output.last_hidden_state[:, -1])
        tokens_B.append(next_B)
        finished_B |= torch.isin(next_B, stop_ids)
        if finished_B.all():  # waits for the device, once per token
            break
        inputs, positions = {"input_ids": next_B[:, None]}, positions[:, -1:] + 1
    return [_until_stop(row, settings.stop_ids) for row in torch.stack(tokens_B, 1).tolist()]


def _name_of_cache(language_model: Any) -> str:
    # transformers 5.24 renamed the argument and warns about the old name, which is all that earlier releases know.
    return "cache" if "cache" in inspect.signature(language_model.forward).parameters else "past_key_values"


def image_features(inner: Any, tiles_NSSC: np.ndarray) -> torch.Tensor:
    """Return the context embeddings (N, tokens_per_tile, D) of uint8 tiles."""
    chunks = torch.split(torch.from_numpy(tiles_NSSC), _TILES_PER_CALL)
    return torch.cat(
        [
            inner.get_image_features(pixel_values=normalise_tiles(chunk.to(inner.device), inner.dtype)).pooler_output
            for chunk in chunks
        ]
    )


def _check_room(inner: Any, prompts: Sequence[Prompt], settings: GenerationSettings) -> None:
    longest = max(len(prompt.input_ids) for prompt in prompts)
    room = inner.config.text_config.max_position_embeddings
    if longest + settings.max_new_tokens > room:
        raise ModelError(
            f"a prompt of {longest} tokens and {settings.max_new_tokens} new ones exceed the model's {room} positions; "
            "lower --max-new-tokens, or convert with a smaller --max-length"
        )


def _left_pad(inner: Any, prompts: Sequence[Prompt], settings: GenerationSettings) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings (B, P, D) of the padded prompts, and a mask (B, P + max_new_tokens): 0 on padding."""
    width = max(len(prompt.input_ids) for prompt in prompts)
    ids = np.full((len(prompts), width), settings.stop_ids[0], dtype=np.int64)
    mask = np.ones((len(prompts), width + settings.max_new_tokens), dtype=np.int64)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt.input_ids) :] = prompt.input_ids
        mask[row, : width - len(prompt.input_ids)] = 0
    ids_BP = torch.from_numpy(ids).to(inner.device)
    embeds_BPD = inner.get_input_embeddings()(ids_BP)
    tiles = [prompt.tiles_NSSC for prompt in prompts if prompt.tiles_NSSC is not None]
    if tiles:
        features = image_features(inner, np.concatenate(tiles)).to(embeds_BPD.dtype)
        is_context = (ids_BP == inner.config.image_token_id)[..., None]
        embeds_BPD = embeds_BPD.masked_scatter(is_context, features)
    return embeds_BPD, torch.from_numpy(mask).to(inner.device)


def _greedy(inner: Any, hidden_BD: torch.Tensor) -> torch.Tensor:
    logits_BV = inner.lm_head(hidden_BD)
    # The context token stands for a picture; as output it means nothing.
    logits_BV[:, inner.config.image_token_id] = -torch.inf
    return torch.argmax(logits_BV, -1)


def _until_stop(ids: list[int], stop_ids: tuple[int, ...]) -> list[int]:
    for position, token in enumerate(ids):
        if token in stop_ids:
            return ids[:position]
    return ids
