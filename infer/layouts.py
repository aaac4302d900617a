"""The original InternVL checkpoint layout and the native one of transformers: names, shapes and back, tensor by tensor.

A checkpoint is described by links. Each link names the original tensors and the native ones that hold the same numbers,
and can turn one into the other: a new name, rows of a fused matrix cut apart, or InternLM2's matrix, in which the rows
of queries, keys and values alternate by group. No number is computed, so both ways are exact to the bit. Which links
there are follows from the configuration alone; a tensor that no link names, or that is missing, is an error.

Names and orders of the original: the modelling code that was published with InternVL 1.5 and 2 and with InternLM2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import PretrainedConfig

from infer.errors import ModelError

Tensors = list[torch.Tensor]


class Source(Protocol):
    """Where tensors are read from, one at a time."""

    def names(self) -> set[str]:
        """Return the names of all tensors."""

    def read(self, name: str) -> torch.Tensor:
        """Read one tensor into the host's memory."""


@dataclass(frozen=True, slots=True)
class Link:
    """Original and native tensors that hold the same numbers: here one of each, of the same shape."""

    original: tuple[str, ...]
    native: tuple[str, ...]

    def to_native(self, tensors: Tensors) -> Tensors:
        """Turn the original tensors into the native ones."""
        return tensors

    def to_original(self, tensors: Tensors) -> Tensors:
        """Turn the native tensors into the original ones."""
        return tensors


@dataclass(frozen=True, slots=True)
class Fused(Link):
    """One original matrix (or bias) whose rows are those of several native ones, one after the other.

    Attributes:
        rows: Rows of each native tensor.
    """

    rows: tuple[int, ...]

    def to_native(self, tensors: Tensors) -> Tensors:
        """Cut the rows apart."""
        if tensors[0].shape[0] != sum(self.rows):
            raise ModelError(f"{self.original[0]} has {tensors[0].shape[0]} rows, config.json says {sum(self.rows)}")
        return [part.contiguous() for part in tensors[0].split(self.rows)]

    def to_original(self, tensors: Tensors) -> Tensors:
        """Put the rows together."""
        return [torch.cat(tensors)]


@dataclass(frozen=True, slots=True)
class Grouped(Link):
    """InternLM2's ``wqkv``: for each group its query heads, then its key head, then its value head.

    Attributes:
        groups: Number of key-value heads.
        queries: Query heads of a group.
        head: Rows of a head.
    """

    groups: int
    queries: int
    head: int

    def to_native(self, tensors: Tensors) -> Tensors:
        """Collect the rows of queries, keys and values."""
        rows = self.groups * (self.queries + 2) * self.head
        if tensors[0].shape[0] != rows:
            raise ModelError(f"{self.original[0]} has {tensors[0].shape[0]} rows, config.json says {rows}")
        heads = tensors[0].unflatten(0, (self.groups, self.queries + 2, self.head))
        parts = heads[:, : self.queries], heads[:, self.queries : -1], heads[:, -1:]
        return [part.flatten(0, 2).contiguous() for part in parts]

    def to_original(self, tensors: Tensors) -> Tensors:
        """Let the rows of queries, keys and values alternate by group."""
        sizes = (self.queries, 1, 1)
        parts = [t.unflatten(0, (self.groups, size, self.head)) for t, size in zip(tensors, sizes, strict=True)]
        return [torch.cat(parts, dim=1).flatten(0, 2)]


def links(config: PretrainedConfig, language_type: str) -> list[Link]:
    """Return the links of a checkpoint, in the order of the model.

    Args:
        config: The native configuration.
        language_type: The language model's type as the original ``config.json`` has it: ``internlm2``, ``llama``,
            ``phi3`` or ``qwen2``.

    Raises:
        ModelError: If the type is another one.
    """
    if language_type not in _LANGUAGES:
        raise ModelError(f"a language model of type {language_type!r} is unknown; known: {', '.join(_LANGUAGES)}")
    return [*_vision(config.vision_config), *_PROJECTOR, *_LANGUAGES[language_type](config)]


def to_native(source: Source, plan: Sequence[Link]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the native tensors of an original checkpoint, each with its name.

    Raises:
        ModelError: If tensors are missing or left over; said before the first one.
    """
    _check_names(source, [name for link in plan for name in link.original])
    for link in plan:
        tensors = link.to_native([source.read(name) for name in link.original])
        yield from zip(link.native, tensors, strict=True)


def to_original(source: Source, plan: Sequence[Link]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the original tensors of a native checkpoint, each with its name.

    Raises:
        ModelError: If tensors are missing or left over; said before the first one.
    """
    _check_names(source, [name for link in plan for name in link.native])
    for link in plan:
        tensors = link.to_original([source.read(name) for name in link.native])
        yield from zip(link.original, tensors, strict=True)


def _check_names(source: Source, expected: Sequence[str]) -> None:
    found = source.names()
    missing, left = sorted(set(expected) - found), sorted(found - set(expected))
    if missing or left:
        said = [f"{len(missing)} tensors are missing, such as {missing[0]}"] if missing else []
        said += [f"{len(left)} are not known, such as {left[0]}"] if left else []
        raise ModelError(f"the weights are not those that config.json describes: {'; '.join(said)}")


def _same(original: str, native: str, *kinds: str) -> list[Link]:
    """Link tensors that differ in their names alone: a weight, and what else there is beside it."""
    return [Link((f"{original}.{kind}",), (f"{native}.{kind}",)) for kind in kinds or ("weight",)]


def _vision(config: Any) -> Iterator[Link]:
    old, new = "vision_model.embeddings", "model.vision_tower.embeddings"
    yield Link((f"{old}.class_embedding",), (f"{new}.cls_token",))
    yield Link((f"{old}.position_embedding",), (f"{new}.position_embeddings",))
    yield from _same(f"{old}.patch_embedding", f"{new}.patch_embeddings.projection", "weight", "bias")
    norm_kinds = ("weight",) if config.norm_type == "rms_norm" else ("weight", "bias")
    rows = (config.hidden_size,) * 3
    for layer in range(config.num_hidden_layers):
        old, new = f"vision_model.encoder.layers.{layer}", f"model.vision_tower.encoder.layer.{layer}"
        yield Link((f"{old}.ls1",), (f"{new}.lambda_1",))
        yield Link((f"{old}.ls2",), (f"{new}.lambda_2",))
        for kind in ("weight", "bias") if config.attention_bias else ("weight",):
            parts = tuple(f"{new}.attention.{part}_proj.{kind}" for part in "qkv")
            yield Fused((f"{old}.attn.qkv.{kind}",), parts, rows)
        if config.use_qk_norm:
            yield from _same(f"{old}.attn.q_norm", f"{new}.attention.q_norm")
            yield from _same(f"{old}.attn.k_norm", f"{new}.attention.k_norm")
        yield from _same(f"{old}.attn.proj", f"{new}.attention.projection_layer", "weight", "bias")
        yield from _same(f"{old}.mlp.fc1", f"{new}.mlp.fc1", "weight", "bias")
        yield from _same(f"{old}.mlp.fc2", f"{new}.mlp.fc2", "weight", "bias")
        yield from _same(f"{old}.norm1", f"{new}.layernorm_before", *norm_kinds)
        yield from _same(f"{old}.norm2", f"{new}.layernorm_after", *norm_kinds)


_PROJECTOR = [
    link
    for old, new in (("0", "layer_norm"), ("1", "linear_1"), ("3", "linear_2"))
    for link in _same(f"mlp1.{old}", f"model.multi_modal_projector.{new}", "weight", "bias")
]


def _internlm2(config: PretrainedConfig) -> Iterator[Link]:
    text: Any = config.get_text_config()
    old, new = "language_model.model", "model.language_model"
    yield from _same(f"{old}.tok_embeddings", f"{new}.embed_tokens")
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    groups = text.num_key_value_heads
    kinds = ("weight", "bias") if text.attention_bias else ("weight",)
    renamed = {"w1": "gate_proj", "w3": "up_proj", "w2": "down_proj"}
    for layer in range(text.num_hidden_layers):
        before, after = f"{old}.layers.{layer}", f"{new}.layers.{layer}"
        for kind in kinds:
            parts = tuple(f"{after}.self_attn.{part}_proj.{kind}" for part in "qkv")
            wqkv = (f"{before}.attention.wqkv.{kind}",)
            yield Grouped(wqkv, parts, groups, text.num_attention_heads // groups, head)
        yield from _same(f"{before}.attention.wo", f"{after}.self_attn.o_proj", *kinds)
        for name, native in renamed.items():
            yield from _same(f"{before}.feed_forward.{name}", f"{after}.mlp.{native}")
        yield from _same(f"{before}.attention_norm", f"{after}.input_layernorm")
        yield from _same(f"{before}.ffn_norm", f"{after}.post_attention_layernorm")
    yield from _same(f"{old}.norm", f"{new}.norm")
    yield from _head(config, "language_model.output")


def _renamed(config: PretrainedConfig, attention: dict[str, tuple[str, ...]], mlp: Sequence[str]) -> Iterator[Link]:
    """Link a language model whose original names are transformers' own, below another root."""
    text: Any = config.get_text_config()
    old, new = "language_model.model", "model.language_model"
    yield from _same(f"{old}.embed_tokens", f"{new}.embed_tokens")
    for layer in range(text.num_hidden_layers):
        before, after = f"{old}.layers.{layer}", f"{new}.layers.{layer}"
        for name, kinds in attention.items():
            yield from _same(f"{before}.self_attn.{name}", f"{after}.self_attn.{name}", *kinds)
        for name in (*(f"mlp.{part}" for part in mlp), "input_layernorm", "post_attention_layernorm"):
            yield from _same(f"{before}.{name}", f"{after}.{name}")
    yield from _same(f"{old}.norm", f"{new}.norm")
    yield from _head(config, "language_model.lm_head")


def _head(config: PretrainedConfig, original: str) -> list[Link]:
    return [] if config.tie_word_embeddings else _same(original, "lm_head")


def _llama(config: PretrainedConfig) -> Iterator[Link]:
    kinds = ("weight", "bias") if getattr(config.get_text_config(), "attention_bias", False) else ("weight",)
    attention = dict.fromkeys(("q_proj", "k_proj", "v_proj", "o_proj"), kinds)
    return _renamed(config, attention, ("gate_proj", "up_proj", "down_proj"))


def _qwen2(config: PretrainedConfig) -> Iterator[Link]:
    attention = dict.fromkeys(("q_proj", "k_proj", "v_proj"), ("weight", "bias")) | {"o_proj": ("weight",)}
    return _renamed(config, attention, ("gate_proj", "up_proj", "down_proj"))


def _phi3(config: PretrainedConfig) -> Iterator[Link]:
    attention = dict.fromkeys(("qkv_proj", "o_proj"), ("weight",))
    return _renamed(config, attention, ("gate_up_proj", "down_proj"))


_LANGUAGES = {"internlm2": _internlm2, "llama": _llama, "phi3": _phi3, "qwen2": _qwen2}
