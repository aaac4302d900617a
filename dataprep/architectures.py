"""Sizes of the real models: layers and widths of vision tower and language model, and what follows from them.

Parameters and memory are counted by formula, without torch, so that ``dataprep models`` can say before anything is
fetched what a model needs. A test builds each architecture without memory and holds the counts against these.
Source: the ``config.json`` of each model's repository.
"""

from __future__ import annotations

from dataclasses import dataclass

_DOWNSAMPLING = 4
"""Patches that the projector joins to one context token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionTower:
    """An InternViT.

    Attributes:
        name: As published.
        hidden_size: Width.
        num_layers: Layers.
        num_heads: Attention heads.
        intermediate_size: Width inside the MLP.
        is_large: Whether it is built as the 6B one: RMS norm, normalised queries and keys, no bias at them.
        image_size_px: Side of a tile.
        patch_size_px: Side of a patch.
    """

    name: str
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    is_large: bool
    image_size_px: int = 448
    patch_size_px: int = 14

    @property
    def num_parameters(self) -> int:
        """All weights and biases."""
        h, inner = self.hidden_size, self.intermediate_size
        patches = (self.image_size_px // self.patch_size_px) ** 2
        norms = 2 * h + 2 * h if self.is_large else 4 * h  # of layer norm a bias too, of the large one queries and keys
        attention = 4 * h * h + (h if self.is_large else 4 * h)
        layer = attention + 2 * h * inner + inner + h + norms + 2 * h
        return h * 3 * self.patch_size_px**2 + h + h + (patches + 1) * h + self.num_layers * layer


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """A decoder of the Llama kind.

    Attributes:
        name: As published.
        hidden_size: Width.
        num_layers: Layers.
        num_heads: Query heads.
        num_key_value_heads: Key and value heads.
        intermediate_size: Width inside the MLP.
        vocabulary: Rows of the embedding.
        has_bias: Whether queries, keys and values have one.
        max_positions: Tokens that the positions were trained for.
        rope_theta: Base of the rotary positions.
    """

    name: str
    hidden_size: int
    num_layers: int
    num_heads: int
    num_key_value_heads: int
    intermediate_size: int
    vocabulary: int
    has_bias: bool = False
    max_positions: int = 32768
    rope_theta: float = 1_000_000.0

    @property
    def num_parameters(self) -> int:
        """All weights and biases, input and output embedding apart."""
        h = self.hidden_size
        keys = h // self.num_heads * self.num_key_value_heads
        attention = 2 * h * h + 2 * h * keys + (h + 2 * keys if self.has_bias else 0)
        layer = attention + 3 * h * self.intermediate_size + 2 * h
        return 2 * self.vocabulary * h + self.num_layers * layer + h


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A whole model."""

    vision: VisionTower
    language: LanguageModel

    @property
    def num_parameters(self) -> int:
        """All weights and biases, the projector's too."""
        wide, h = self.vision.hidden_size * _DOWNSAMPLING, self.language.hidden_size
        return self.vision.num_parameters + 2 * wide + (wide + 1) * h + (h + 1) * h + self.language.num_parameters


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """GB of weights, gradients and optimizer state; what a step's activations take comes on top.

    Attributes:
        inference: Weights in bfloat16, or 8 bits each where the type says so.
        lora: The same, and adapters of rank 8 at the language model's queries, keys and values with AdamW in float32.
        full: All weights trained: bfloat16 weights and gradients, float32 copies and AdamW's two moments.
    """

    inference: float
    lora: float
    full: float


_TRAINED_BYTES = 16
_LORA_RANK = 8


def memory_need(name: str) -> MemoryNeed:
    """Return what a model type needs of a GPU's memory."""
    architecture = ARCHITECTURES[name]
    weights = architecture.num_parameters * (1 if name.endswith("-int8") else 2)
    text = architecture.language
    keys = text.hidden_size // text.num_heads * text.num_key_value_heads
    adapters = text.num_layers * _LORA_RANK * (2 * text.hidden_size + 2 * (text.hidden_size + keys))
    lora = weights + _TRAINED_BYTES * adapters
    full = _TRAINED_BYTES * architecture.num_parameters
    return MemoryNeed(weights / 1e9, lora / 1e9, full / 1e9)


_VIT_300M = VisionTower(
    name="InternViT-300M-448px",
    hidden_size=1024,
    num_layers=24,
    num_heads=16,
    intermediate_size=4096,
    is_large=False,
)
_VIT_6B = VisionTower(
    name="InternViT-6B-448px-V1-5",
    hidden_size=3200,
    num_layers=45,
    num_heads=25,
    intermediate_size=12800,
    is_large=True,
)
_INTERNLM2_20B = LanguageModel(
    name="InternLM2-Chat-20B",
    hidden_size=6144,
    num_layers=48,
    num_heads=48,
    num_key_value_heads=8,
    intermediate_size=16384,
    vocabulary=92553,
)
_INTERNLM2_1_8B = LanguageModel(
    name="InternLM2-Chat-1.8B",
    hidden_size=2048,
    num_layers=24,
    num_heads=16,
    num_key_value_heads=8,
    intermediate_size=8192,
    vocabulary=92553,
)
_INTERNLM2_7B = LanguageModel(
    name="InternLM2.5-7B-Chat",
    hidden_size=4096,
    num_layers=32,
    num_heads=32,
    num_key_value_heads=8,
    intermediate_size=14336,
    vocabulary=92553,
)
_PHI3_MINI = LanguageModel(
    name="Phi-3-mini-128k-instruct",
    hidden_size=3072,
    num_layers=32,
    num_heads=32,
    num_key_value_heads=32,
    intermediate_size=8192,
    vocabulary=32020,
    max_positions=131072,
    rope_theta=10_000.0,
)
_QWEN2_0_5B = LanguageModel(
    name="Qwen2-0.5B-Instruct",
    hidden_size=896,
    num_layers=24,
    num_heads=14,
    num_key_value_heads=2,
    intermediate_size=4864,
    vocabulary=151655,
    has_bias=True,
)
_YI_34B = LanguageModel(
    name="Nous-Hermes-2-Yi-34B",
    hidden_size=7168,
    num_layers=60,
    num_heads=56,
    num_key_value_heads=8,
    intermediate_size=20480,
    vocabulary=64007,
    max_positions=4096,
    rope_theta=5_000_000.0,
)
_LLAMA3_70B = LanguageModel(
    name="Hermes-2-Theta-Llama-3-70B",
    hidden_size=8192,
    num_layers=80,
    num_heads=64,
    num_key_value_heads=8,
    intermediate_size=28672,
    vocabulary=128265,
    max_positions=8192,
    rope_theta=500_000.0,
)

ARCHITECTURES: dict[str, Architecture] = {
    name: Architecture(vision=vision, language=language)
    for name, vision, language in (
        ("internvl-chat-v1_5", _VIT_6B, _INTERNLM2_20B),
        ("internvl-chat-v1_5-int8", _VIT_6B, _INTERNLM2_20B),
        ("mini-internvl-chat-2b-v1_5", _VIT_300M, _INTERNLM2_1_8B),
        ("mini-internvl-chat-4b-v1_5", _VIT_300M, _PHI3_MINI),
        ("internvl2-1b", _VIT_300M, _QWEN2_0_5B),
        ("internvl2-2b", _VIT_300M, _INTERNLM2_1_8B),
        ("internvl2-4b", _VIT_300M, _PHI3_MINI),
        ("internvl2-8b", _VIT_300M, _INTERNLM2_7B),
        ("internvl2-26b", _VIT_6B, _INTERNLM2_20B),
        ("internvl2-40b", _VIT_6B, _YI_34B),
        ("internvl2-llama3-76b", _VIT_6B, _LLAMA3_70B),
    )
}
"""By model type."""
