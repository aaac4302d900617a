"""Load an InternVL model from either layout, and hold it against the shards it is to read.

Input is a local folder with ``config.json`` and safetensors weights, in the layout of transformers (model type
``internvl``) or in the original one (``internvl_chat``), or a configuration to build from scratch; output is an
``InternVLForConditionalGeneration`` on its device, or a ``PeftModel`` around one. Nothing is downloaded, no code of
the folder is run, and pickled weights are not opened.
"""

import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import InternVLConfig, InternVLForConditionalGeneration
from transformers.utils import logging as transformers_logging

from dataprep.shards.manifest import Manifest
from infer.attention import AttentionChoice, attention_implementation
from infer.errors import ModelError, ModelMismatchError
from infer.original_config import is_original

DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOptions:
    """How a model is placed and run."""

    device: str = "auto"
    """``auto`` (CUDA if there is one, else CPU) or a torch device such as ``cuda:1``."""
    dtype: str = "auto"
    """A name of `DTYPES`; ``auto`` is bfloat16 on a GPU that has it and float32 elsewhere."""
    attention: AttentionChoice = "auto"
    """See `infer.attention`."""
    use_flash_attn: bool | None = None
    """Whether flash-attn must (True) or must not (False) be used; None leaves it to `attention`."""

    def resolve_attention(self) -> dict[str, str]:
        """Return the attention functions; raise ModelError if they cannot run here."""
        return attention_implementation(
            self.attention,
            device=self.resolve_device(),
            dtype=self.resolve_dtype(),
            use_flash_attn=self.use_flash_attn,
        )

    def resolve_device(self) -> torch.device:
        """Return the torch device; raise ModelError if it is unknown or absent."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
        except RuntimeError as error:
            raise ModelError(f"device {self.device!r} is unknown; use auto, cpu, cuda or cuda:N") from error
        if device.type == "cuda" and not torch.cuda.is_available():
            raise ModelError(f"device {self.device!r} was asked for, but torch sees no CUDA device; use --device cpu")
        return device

    def resolve_dtype(self) -> torch.dtype:
        """Return the torch type; raise ModelError if its name is unknown."""
        if self.dtype == "auto":
            has_bf16 = self.resolve_device().type == "cuda" and torch.cuda.is_bf16_supported()
            return torch.bfloat16 if has_bf16 else torch.float32
        if self.dtype not in DTYPES:
            raise ModelError(f"dtype {self.dtype!r} is unknown; choose one of auto, {', '.join(DTYPES)}")
        return DTYPES[self.dtype]


def load_model(
    path: Path | str,
    options: ModelOptions | None = None,
    *,
    adapter: Path | str | None = None,
    image_token_id: int | None = None,
) -> Any:
    """Load a model from a local folder.

    Args:
        path: Folder in the native or the original layout, with safetensors weights.
        options: Device, type and attention; the defaults if None.
        adapter: Folder of a PEFT adapter to put on top, such as a LoRA run; its weights stay separate.
        image_token_id: Id of ``<IMG_CONTEXT>``, for an original folder without tokenizer files.

    Returns:
        The model in evaluation mode, on its device. (Any: transformers' classes are too dynamic for a useful
        static type.)

    Raises:
        ModelError: If the folder, its weights or the adapter cannot be used.
    """
    folder, options = Path(path), options or ModelOptions()
    config = read_config(folder)
    device, dtype = options.resolve_device(), options.resolve_dtype()
    if is_original(config):
        from infer.original_model import load_original  # accelerate takes a while to load

        attention = options.resolve_attention()
        model = load_original(
            folder, config, device=device, dtype=dtype, attention=attention, image_token_id=image_token_id
        )
    else:
        model = _load_native(folder, options).to(device)
    return (model if adapter is None else _with_adapter(model, Path(adapter))).eval()


def _load_native(folder: Path, options: ModelOptions) -> Any:
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder} has a config.json but no *.safetensors weights; pickled weights are not opened")
    attention = options.resolve_attention()
    try:
        with terminal_bars():
            loader: Any = InternVLForConditionalGeneration
            model, loading = loader.from_pretrained(
                folder,
                dtype=options.resolve_dtype(),
                use_safetensors=True,
                local_files_only=True,
                attn_implementation=attention,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"the weights in {folder} cannot be loaded: {_first_line(error)}") from error
    if loading["missing_keys"]:
        names = sorted(loading["missing_keys"])
        raise ModelError(f"{folder} lacks {len(names)} weights that its config.json asks for, such as {names[0]}")
    return model


def build_model(config: InternVLConfig | dict[str, Any], options: ModelOptions | None = None, *, seed: int = 0) -> Any:
    """Build a model with random weights from a configuration, for training from scratch.

    Args:
        config: A native InternVL configuration, or its ``config.json`` content.
        options: Device, type and attention; the defaults if None.
        seed: Of the initial weights; torch's global generator is left as it was.
    """
    options = options or ModelOptions()
    device, dtype = options.resolve_device(), options.resolve_dtype()
    settings = config if isinstance(config, InternVLConfig) else InternVLConfig(**config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = InternVLForConditionalGeneration(settings)
    model.set_attn_implementation(options.resolve_attention())
    return model.to(device=device, dtype=dtype)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of a model folder's ``config.json``; raise ModelError if it is no InternVL model's."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        where = f"{folder} has no config.json" if folder.is_dir() else f"model folder {folder} does not exist"
        raise ModelError(f"{where}; --model takes a local folder of an InternVL model") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {_first_line(error)}") from error
    model_type = content.get("model_type") if isinstance(content, dict) else None
    if model_type not in ("internvl", "internvl_chat"):
        raise ModelError(
            f"{path} has model_type {model_type!r}; known are 'internvl' (InternVL in the transformers layout) and "
            "'internvl_chat' (the original one)"
        )
    return dict(content)


def tile_size_px(config: Any) -> int:
    """Return the side of a tile in pixels."""
    return int(config.vision_config.image_size[0])


def tokens_per_tile(config: Any) -> int:
    """Return the context tokens that one tile becomes."""
    vision = config.vision_config
    patches_per_side = vision.image_size[0] // vision.patch_size[0]
    return int(patches_per_side * config.downsample_ratio) ** 2


def check_fits(config: Any, manifest: Manifest) -> None:
    """Check that a model reads what the shards hold.

    Raises:
        ModelMismatchError: With the quantity and both values.
    """
    pairs = (
        ("the tile size in pixels", tile_size_px(config), manifest.tile_size_px),
        ("the number of tokens per tile", tokens_per_tile(config), manifest.tokens_per_tile),
        ("the id of the image context token", config.image_token_id, manifest.context_token_id),
    )
    for what, of_model, of_shards in pairs:
        if of_model != of_shards:
            raise ModelMismatchError(what, of_model, of_shards)
    largest = max(manifest.context_token_id, manifest.eos_token_id)
    if config.text_config.vocab_size <= largest:
        raise ModelMismatchError(
            "the vocabulary", f"of size {config.text_config.vocab_size}", f"used up to id {largest}"
        )


@contextmanager
def terminal_bars() -> Iterator[None]:
    """Let transformers draw its progress bars on a terminal only."""
    bars: Any = transformers_logging
    was_enabled = bars.is_progress_bar_enabled()
    if not sys.stderr.isatty():
        bars.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            bars.enable_progress_bar()


@contextmanager
def known_peft_warnings() -> Iterator[None]:
    """Hide that peft asks transformers for an attribute by its old name, which is no concern of the user's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield


def base_model(model: Any) -> Any:
    """Return the InternVL model inside a PEFT or parallel wrapper, or the model itself."""
    while not isinstance(model, InternVLForConditionalGeneration):
        model = model.get_base_model() if hasattr(model, "get_base_model") else model.module
    return model


def _with_adapter(model: Any, folder: Path) -> Any:
    from peft import PeftModel  # takes a second to load, and most calls have no adapter

    if not (folder / "adapter_config.json").is_file():
        hint = (
            "it holds a full model: pass it as --model"
            if (folder / "config.json").is_file()
            else "is the run finished?"
        )
        raise ModelError(f"{folder} has no adapter_config.json; {hint}")
    if not (folder / "adapter_model.safetensors").is_file():
        raise ModelError(f"{folder} has no adapter_model.safetensors; pickled adapters are not opened")
    try:
        with known_peft_warnings():
            return PeftModel.from_pretrained(model, folder, local_files_only=True)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise ModelError(f"adapter {folder} does not fit this model: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
