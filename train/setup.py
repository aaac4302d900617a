"""Build a run before its first step: folder, device, data plan, model, optimizer, and the state of a resumed run.

Everything that can be refused is refused here, in the order of its cost: settings and folder, shards and plan,
tokenizer, model, checkpoint.
"""

import json
import math
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from dataprep.model_files import tokenizer_names
from dataprep.shards.reader import Shards
from infer.contract import CONTRACT_NAME, check_model, contract_record
from infer.conventions import CONVENTIONS, RUN_CONFIG_NAME
from infer.model import ModelOptions, load_model
from train.checkpoints import RunState, list_checkpoints, read_state, remove_leftovers, restore
from train.config import TrainConfig
from train.data import PackPlan, open_all_shards
from train.errors import TrainError
from train.log import LOG_NAME
from train.lora import add_adapters, count_parameters, parameter_groups, unfreeze_parts

_MIXED_PRECISION = {torch.float32: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}
_PACKAGES = ("dataprep-vl", "torch", "transformers", "peft", "accelerate", "safetensors", "pyarrow", "pillow")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """A run that is ready for its first or next step."""

    run: Path
    accelerator: Accelerator
    dtype: torch.dtype
    """Type of computing."""
    shards: list[Shards]
    plan: PackPlan
    val_plan: PackPlan | None
    model: Any
    """As loaded, with its adapters; not yet prepared by accelerate."""
    optimizer: torch.optim.Optimizer
    state: RunState
    """Where the run stands: step 0, or that of the checkpoint."""
    packs_per_step: int
    packs_per_epoch: int
    num_packs: int
    """Packs of the whole run; the last step may have fewer than the others."""
    total_steps: int


def build(config: TrainConfig) -> Setup:
    """Build the run that `config` describes; see `train.loop.train` for what it raises."""
    run = Path(config.out)
    checkpoint = _prepare_run(run, config)
    accelerator, options, dtype = _make_accelerator(config)
    shards = open_all_shards(config.shards, config.model)
    plan = PackPlan(shards, config.train_split, config=config)
    has_val = any(config.val_split in directory.manifest.splits for directory in shards)
    val_plan = PackPlan(shards, config.val_split, config=config) if has_val else None
    _check_contract(Path(config.model), shards)
    packs_per_step = config.micro_batch_size * config.gradient_accumulation
    packs_per_epoch = len(plan.epoch(0))
    num_packs = config.max_steps * packs_per_step if config.max_steps else plan.num_packs(config.epochs)
    total_steps = math.ceil(num_packs / packs_per_step)

    model = _build_model(config, options, dtype, checkpoint)
    optimizer = _make_optimizer(model, config)
    identity = _identity(config, plan, shards)
    state = RunState(step=0, tokens=0, trained_tokens=0, identity=identity)
    if checkpoint is not None:
        state = _restore(checkpoint, identity, model, optimizer, accelerator)
    _write_run_config(run, config, shards, model, total_steps)
    return Setup(
        run=run,
        accelerator=accelerator,
        dtype=dtype,
        shards=shards,
        plan=plan,
        val_plan=val_plan,
        model=model,
        optimizer=optimizer,
        state=state,
        packs_per_step=packs_per_step,
        packs_per_epoch=packs_per_epoch,
        num_packs=num_packs,
        total_steps=total_steps,
    )


def _prepare_run(run: Path, config: TrainConfig) -> Path | None:
    """Make the run folder; return the checkpoint to go on from, if any."""
    checkpoints = list_checkpoints(run)
    if config.resume is None and (checkpoints or (run / LOG_NAME).exists()):
        raise TrainError(f"{run} already holds a run; choose another --out, or go on with --resume auto")
    if config.resume not in (None, "auto") and not Path(config.resume).is_dir():
        raise TrainError(f"checkpoint {config.resume} does not exist; --resume auto takes the newest one in {run}")
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainError(f"the run folder {run} cannot be made: {error.strerror}; choose another --out") from error
    remove_leftovers(run)
    if config.resume in (None, "auto"):
        return checkpoints[-1] if config.resume and checkpoints else None
    return Path(config.resume)


def _make_accelerator(config: TrainConfig) -> tuple[Accelerator, ModelOptions, torch.dtype]:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainError("training runs in one process for now; start it without torchrun or accelerate launch")
    if config.num_threads is not None:
        torch.set_num_threads(config.num_threads)
    options = ModelOptions(
        device=config.device, dtype=config.dtype, attention=config.attention, use_flash_attn=config.use_flash_attn
    )
    device, dtype = options.resolve_device(), options.resolve_dtype()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    elif dtype == torch.float16:
        raise TrainError("float16 trains on a CUDA device only; use --dtype bfloat16 or float32 on the CPU")
    # accelerate keeps one state per process; a second run in it may want another device or type.
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision=_MIXED_PRECISION[dtype])
    torch.manual_seed(config.seed)
    return accelerator, options, dtype


def _build_model(config: TrainConfig, options: ModelOptions, dtype: torch.dtype, checkpoint: Path | None) -> Any:
    if config.sft_type == "lora":
        model = load_model(config.model, options)
    else:
        # Trained weights are float32, and a checkpoint of a full model holds them so; the kernel is that of `dtype`.
        model = load_model(
            checkpoint or config.model, ModelOptions(device=options.device, dtype="float32", attention="sdpa")
        )
        model.set_attn_implementation(options.resolve_attention())
    if config.gradient_checkpointing:
        # Renamed in transformers 5.23; both names take the same argument.
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    model = add_adapters(model, config) if config.sft_type == "lora" else unfreeze_parts(model, config, dtype)
    return model.train()


def _make_optimizer(model: Any, config: TrainConfig) -> torch.optim.AdamW:
    groups = parameter_groups(model, config)
    return torch.optim.AdamW(groups, betas=(config.adam_beta1, config.adam_beta2), fused=True)


def _restore(
    checkpoint: Path,
    identity: dict[str, object],
    model: Any,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
) -> RunState:
    state = read_state(checkpoint)
    for name, value in identity.items():
        if state.identity.get(name) != value:
            raise TrainError(
                f"{checkpoint} was trained with {name} {state.identity.get(name)!r}, and this run has {value!r}; "
                "use the same settings, or start anew in another --out"
            )
    restore(checkpoint, model=model, optimizer=optimizer)
    if accelerator.scaler and state.scaler:
        accelerator.scaler.load_state_dict(state.scaler)
    return state


def _identity(config: TrainConfig, plan: PackPlan, shards: list[Shards]) -> dict[str, object]:
    return {
        "shards": [directory.manifest.checksum for directory in shards],
        "packs": plan.fingerprint(),
        "packs_per_step": config.micro_batch_size * config.gradient_accumulation,
        "sft_type": config.sft_type,
        "lora_rank": config.lora_rank if config.sft_type == "lora" else None,
        "lora_target_modules": list(config.lora_target_modules) if config.sft_type == "lora" else None,
    }


def _check_contract(source: Path, shards: list[Shards]) -> None:
    if tokenizer_names(source):
        from dataprep.tokenization import load_tokenizer

        check_model(source, load_tokenizer(source), shards[0])


def _write_run_config(run: Path, config: TrainConfig, shards: list[Shards], model: Any, total_steps: int) -> None:
    content = {
        "config": config.to_json(),
        "total_steps": total_steps,
        "parameters": count_parameters(model),
        "versions": {name: _version(name) for name in _PACKAGES},
        "shards": [_describe_shards(directory) for directory in shards],
    }
    (run / RUN_CONFIG_NAME).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _describe_shards(shards: Shards) -> dict[str, object]:
    manifest = shards.manifest
    facts = {"path": str(shards.directory), "checksum": manifest.checksum, "fingerprint": manifest.fingerprints.all}
    facts |= {CONTRACT_NAME: contract_record(shards)}
    return facts | {name: getattr(manifest, name) for name in CONVENTIONS}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that is not installed
        return None
