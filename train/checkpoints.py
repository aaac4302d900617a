"""Checkpoints that are whole or absent, and hold everything that a resumed run needs.

``RUN/checkpoint-N`` is written under a temporary name, flushed to disk and renamed, so a folder of that name is
complete. It holds the weights in the form that ``--adapter`` or ``--model`` opens, ``optimizer.safetensors``
(AdamW's state by parameter name), ``rng.safetensors`` and ``state.json``. Nothing is pickled. A full model's
trained weights are float32 here; the final weights in RUN itself have the run's type.
"""

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from infer.model import terminal_bars
from train.errors import TrainError
from train.lora import trained_parameters

_NAME = re.compile(r"checkpoint-(\d+)")
_TEMPORARY = ".tmp"
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunState:
    """Where a run stands."""

    step: int
    """Optimizer steps done."""
    tokens: int
    """Tokens read, over all steps."""
    trained_tokens: int
    """Tokens with loss, over all steps."""
    identity: dict[str, object]
    """What must not change when the run goes on: the data, the plan of packs, what is trained."""
    scaler: dict[str, float] = field(default_factory=dict)
    """State of the float16 loss scaler; empty without one."""


def list_checkpoints(run: Path) -> list[Path]:
    """Return the complete checkpoints of a run, oldest first."""
    found = [(int(match[1]), path) for path in run.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def write_checkpoint(run: Path, state: RunState, model: Any, optimizer: torch.optim.Optimizer, *, keep: int) -> Path:
    """Write checkpoint ``state.step`` of a run, then remove the oldest ones beyond `keep`.

    Raises:
        TrainError: If it cannot be written, for a full disk say; older checkpoints are then as they were.
    """
    final = run / f"checkpoint-{state.step}"
    temporary = run / f"{final.name}{_TEMPORARY}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _save_weights(model, temporary)
        save_file(_optimizer_tensors(model, optimizer), temporary / "optimizer.safetensors")
        save_file(_rng_tensors(), temporary / "rng.safetensors")
        (temporary / "state.json").write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
        _flush(temporary)
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
        _flush_folder(run)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise TrainError(
            f"{final} cannot be written: {error}; older checkpoints are intact: make room, then use --resume auto"
        ) from error
    for old in list_checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    return final


def read_state(checkpoint: Path) -> RunState:
    """Return where the run of a checkpoint stands; raise TrainError if it cannot be read."""
    try:
        content = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
        return RunState(**content)
    except (OSError, ValueError, TypeError) as error:
        raise TrainError(
            f"{checkpoint} is not a checkpoint of dataprep: {error}; choose another one for --resume"
        ) from error


def restore(checkpoint: Path, *, model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Put a checkpoint's adapters, optimizer state and random state in place.

    A full model's weights are not read here: the loop loads the model from the checkpoint folder in the first place.
    """
    if (checkpoint / "adapter_model.safetensors").is_file():
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(model, load_file(checkpoint / "adapter_model.safetensors"))
    tensors = load_file(checkpoint / "optimizer.safetensors")
    names = {id(parameter): name for name, parameter in trained_parameters(model)}
    order = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    content = optimizer.state_dict()
    content["state"] = {
        index: {key: tensors[f"{names[id(parameter)]}:{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
        for index, parameter in enumerate(order)
        # A parameter that has had no gradient yet has no state: the vision tower before the first image.
        if f"{names[id(parameter)]}:step" in tensors
    }
    optimizer.load_state_dict(content)
    rng = load_file(checkpoint / "rng.safetensors")
    torch.set_rng_state(rng["cpu"])
    for index in range(torch.cuda.device_count()):
        if f"cuda:{index}" in rng:
            torch.cuda.set_rng_state(rng[f"cuda:{index}"], index)


def write_final(run: Path, *, model: Any, source: Path, dtype: torch.dtype) -> None:
    """Write the trained adapter, or the trained model with its tokenizer, into the run folder itself.

    Args:
        run: Folder of the run.
        model: The trained model, without accelerate's wrapping.
        source: Folder of the model that training started from; its tokenizer goes along with a full model.
        dtype: Type of a full model's weights in the files.
    """
    temporary = run / f"final{_TEMPORARY}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    is_adapter = hasattr(model, "get_base_model")
    if not is_adapter:
        model = model.to(dtype)
        for name in _TOKENIZER_FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, temporary / name)
    _save_weights(model, temporary)
    _flush(temporary)
    for path in temporary.iterdir():
        path.replace(run / path.name)
    temporary.rmdir()


def remove_leftovers(run: Path) -> None:
    """Remove what a killed run left half-written."""
    for path in run.glob(f"*{_TEMPORARY}"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _save_weights(model: Any, folder: Path) -> None:
    with terminal_bars():
        model.save_pretrained(folder)
    # peft writes a model card of blanks to fill in.
    (folder / "README.md").unlink(missing_ok=True)


def _optimizer_tensors(model: Any, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    names = {id(parameter): name for name, parameter in trained_parameters(model)}
    return {
        f"{names[id(parameter)]}:{key}": value.contiguous()
        for parameter, entries in optimizer.state.items()
        for key, value in entries.items()
    }


def _rng_tensors() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return states | {f"cuda:{i}": torch.cuda.get_rng_state(i) for i in range(torch.cuda.device_count())}


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
