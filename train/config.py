"""The settings of a training run: one frozen dataclass, saved beside the weights.

Every field is an option of ``dataprep train`` under the same name. Values are checked here and nowhere else;
derived values (number of steps, packs per step) are computed by the loop and printed, not stored.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from typing import Literal

from train.errors import TrainError

SftType = Literal["lora", "full"]
Schedule = Literal["cosine", "linear", "constant"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """All settings of one run."""

    shards: tuple[str, ...]
    """Shard directories; their rows are joined. They must share one tokenizer, template and tiling."""
    model: str
    """Folder of the model to start from, in the transformers layout."""
    out: str
    """Folder of the run."""
    resume: str | None = None
    """``auto`` continues from the newest complete checkpoint in `out` (or starts, if there is none), a path from that
    checkpoint; None starts anew and refuses a folder that holds a run."""

    sft_type: SftType = "lora"
    """``lora`` trains adapters, ``full`` the weights."""
    lora_rank: int = 8
    """Rank of the adapters."""
    lora_alpha: float = 32.0
    """The adapters' output is scaled by alpha / rank."""
    lora_dropout: float = 0.05
    """Dropout before the adapters, 0 to below 1."""
    lora_target_modules: tuple[str, ...] = ("DEFAULT",)
    """``DEFAULT`` (q, k, v projections of the language model), ``LLM`` (all its linears, and the projector),
    ``ALL`` (every linear, vision tower included), or module names."""
    freeze_vision: bool = False
    """Full training only: leave the vision tower as it is."""
    freeze_projector: bool = False
    """Full training only: leave the projector between vision tower and language model as it is."""
    freeze_language: bool = False
    """Full training only: leave the language model as it is."""

    learning_rate: float = 1e-4
    """Peak learning rate."""
    vision_learning_rate: float | None = None
    """Peak learning rate of the vision tower; None means `learning_rate`."""
    projector_learning_rate: float | None = None
    """Peak learning rate of the projector; None means `learning_rate`."""
    schedule: Schedule = "cosine"
    """How the learning rate falls after the warm-up: to 0 along a cosine or a line, or not at all."""
    warmup_ratio: float = 0.05
    """Share of all steps over which the learning rate rises from 0."""
    weight_decay: float = 0.1
    """AdamW's decay of matrices; vectors (norms, biases) are not decayed."""
    adam_beta1: float = 0.9
    """AdamW's decay of the mean."""
    adam_beta2: float = 0.95
    """AdamW's decay of the variance."""
    max_grad_norm: float | None = 1.0
    """Gradients are scaled down to this norm; None leaves them."""

    epochs: float = 1.0
    """Passes over the data, unless `max_steps` is given."""
    max_steps: int | None = None
    """Optimizer steps; None means that `epochs` decides."""
    pack_length: int = 4096
    """Tokens of a pack; a longer sample is refused before the first step."""
    packing: bool = True
    """Whether several samples share a pack; without it each sample is a pack of its own."""
    micro_batch_size: int = 1
    """Packs that go through the model at once, on each device."""
    gradient_accumulation: int = 1
    """Micro-steps per optimizer step."""
    train_split: str = "train"
    """Split to train on."""
    val_split: str = "val"
    """Split whose loss is taken every `eval_steps`; shards without it are fine."""

    dtype: str = "auto"
    """``float32``, ``bfloat16`` or ``float16``: the type of computing and of frozen weights; trained weights
    are kept in float32. ``auto`` is bfloat16 on a GPU that has it and float32 elsewhere."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    attention: Literal["auto", "flash", "varlen", "sdpa"] = "auto"
    """Attention kernel, see `infer.attention`."""
    use_flash_attn: bool | None = None
    """Whether flash-attn must (True) or must not (False) be used; None leaves it to `attention`."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third more time."""
    num_threads: int | None = None
    """CPU threads of one operation; None leaves torch's choice."""
    num_workers: int = 1
    """Threads that read and decode ahead; 0 reads in the loop."""
    cache_bytes: int = 256 << 20
    """Memory for decoded tiles, in bytes."""
    seed: int = 0
    """Of pack order, adapters and dropout."""

    log_steps: int = 10
    """Steps between lines of the log."""
    eval_steps: int | None = None
    """Steps between validation losses; None takes it at the end only."""
    eval_packs: int = 64
    """Most packs of the validation split that a validation loss reads."""
    save_steps: int | None = 500
    """Steps between checkpoints; None writes one at the end only."""
    keep_checkpoints: int = 2
    """Newest checkpoints that stay."""

    def __post_init__(self) -> None:
        for name, minimum in _MINIMUM.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise TrainError(f"{name} is {value}; it must be at least {minimum}")
        for name in ("learning_rate", "epochs"):
            if getattr(self, name) <= 0:
                raise TrainError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name, field_type in (("sft_type", SftType), ("schedule", Schedule)):
            if getattr(self, name) not in typing.get_args(field_type):
                raise TrainError(
                    f"{name} is {getattr(self, name)!r}; choose one of {', '.join(typing.get_args(field_type))}"
                )
        if not 0 <= self.lora_dropout < 1:
            raise TrainError(f"lora_dropout is {self.lora_dropout}; it must be at least 0 and below 1")
        frozen = (self.freeze_vision, self.freeze_projector, self.freeze_language)
        if self.sft_type == "lora" and any(frozen):
            raise TrainError("the freeze options are for --sft-type full; with lora choose --lora-target-modules")
        if all(frozen):
            raise TrainError("vision tower, projector and language model are all frozen: nothing is left to train")
        if not self.shards:
            raise TrainError("no shard directory was given; make one with 'dataprep convert'")

    def to_json(self) -> dict[str, object]:
        """Return the settings as JSON values."""
        return dataclasses.asdict(self) | {
            "shards": list(self.shards),
            "lora_target_modules": list(self.lora_target_modules),
        }

    @classmethod
    def from_json(cls, content: dict[str, object]) -> "TrainConfig":
        """Return the settings that `to_json` wrote; raise TrainError for an unknown name or a wrong type."""
        hints = typing.get_type_hints(cls)
        values = {}
        for name, value in content.items():
            if name not in hints:
                raise TrainError(f"setting {name!r} is unknown; known are {', '.join(hints)}")
            values[name] = _typed(name, value, hints[name])
        return cls(**values)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return json.dumps(self.to_json(), indent=2)


_MINIMUM: dict[str, float] = {
    "lora_rank": 1,
    "warmup_ratio": 0,
    "weight_decay": 0,
    "max_steps": 1,
    "pack_length": 1,
    "micro_batch_size": 1,
    "gradient_accumulation": 1,
    "num_threads": 1,
    "num_workers": 0,
    "cache_bytes": 0,
    "log_steps": 1,
    "eval_steps": 1,
    "eval_packs": 1,
    "save_steps": 1,
    "keep_checkpoints": 1,
}


def _typed(name: str, value: object, hint: object) -> object:
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        return tuple(str(item) for item in value)
    if typing.get_origin(hint) is Literal and value in typing.get_args(hint):
        return value
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and float in options and int not in options:
        return float(value)
    for option in options:
        if isinstance(option, type) and type(value) is option:
            return value
    raise TrainError(f"setting {name} is {value!r}, which is not of the expected type {hint}")
