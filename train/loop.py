"""The training loop: shards and a model folder in, a run folder with an adapter or a model out.

Read `train` from top to bottom: build, restore, then per step: schedule, micro-steps, clip, optimizer, log, evaluate, save.
One process. The loss of a step is the sum of its token losses divided by the number of its trained tokens over all micro-steps,
so that splitting a step into micro-steps, or samples into packs, changes nothing. Logits are computed at trained positions only.

The device is waited for in the logging, evaluation and saving blocks only.
"""

import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from dataprep.shards.reader import Shards
from infer.attention import attention_implementation
from infer.evaluate import check_tokenizer
from infer.inputs import PackBatch
from infer.model import ModelOptions, base_model, load_model
from train.checkpoints import (
    RunState,
    list_checkpoints,
    read_state,
    remove_leftovers,
    restore,
    write_checkpoint,
    write_final,
)
from train.config import TrainConfig
from train.data import PackLoader, PackPlan, open_all_shards
from train.errors import NonFiniteLossError, TrainError
from train.log import LOG_NAME, RunLog
from train.lora import add_adapters, count_parameters, parameter_groups, unfreeze_parts

CONFIG_NAME = "train_config.json"

_MIXED_PRECISION = {torch.float32: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}
_PACKAGES = ("dataprep-vl", "torch", "transformers", "peft", "accelerate", "safetensors", "pyarrow", "pillow")


@dataclass(slots=True)
class Meter:
    """What has happened since the last line of the log."""

    losses: list[torch.Tensor] = field(default_factory=list)
    trained_tokens: list[int] = field(default_factory=list)
    locations: list[tuple[str, ...]] = field(default_factory=list)
    tokens: int = 0
    tiles: int = 0
    wait_s: float = 0.0
    started_s: float = field(default_factory=time.perf_counter)


def train(config: TrainConfig) -> dict[str, Any]:
    """Run, or go on with, one training run.

    Args:
        config: All settings.

    Returns:
        ``status`` (finished or stopped), ``step``, ``total_steps``, last ``loss`` and ``val_loss``, ``seconds``,
        ``tokens_per_s``, ``out`` and the ``next_command``.

    Raises:
        TrainError: If the run cannot start, resume or go on.
        ModelError: If the model does not load or does not fit the shards.
        SampleError: If a row cannot be read; names it.
    """
    run, source = Path(config.out), Path(config.model)
    checkpoint = _prepare_run(run, config)
    accelerator, options, dtype = _make_accelerator(config)
    shards = open_all_shards(config.shards)
    _check_tokenizer_of(source, shards)
    plan = PackPlan(shards, config.train_split, config=config)
    has_val = any(config.val_split in directory.manifest.splits for directory in shards)
    val_plan = PackPlan(shards, config.val_split, config=config) if has_val else None
    packs_per_step = config.micro_batch_size * config.gradient_accumulation
    num_packs = config.max_steps * packs_per_step if config.max_steps else plan.num_packs(config.epochs)
    total_steps = math.ceil(num_packs / packs_per_step)

    model = _build_model(config, options, dtype, checkpoint)
    optimizer = _make_optimizer(model, config)
    identity = _identity(config, plan, shards)
    state = RunState(step=0, tokens=0, trained_tokens=0, identity=identity)
    if checkpoint is not None:
        state = _restore(checkpoint, identity, model, optimizer, accelerator)
    raw_model, raw_optimizer = model, optimizer
    model, optimizer = accelerator.prepare(model, optimizer)
    packs = islice(plan.stream(state.step * packs_per_step), num_packs - state.step * packs_per_step)
    loader = PackLoader(shards, packs, config=config, model_config=base_model(model).config)
    _write_run_config(run, config, shards, raw_model, total_steps)

    step, tokens, trained_tokens = state.step, state.tokens, state.trained_tokens
    started_s, first_tokens = time.perf_counter(), tokens
    loss = val_loss = None
    saved_step = step if checkpoint else None
    with RunLog(run, total_steps=total_steps, start_step=step) as log, _stop_signal() as stop:
        meter = Meter()
        try:
            while step < total_steps and not stop.is_set():
                step += 1
                factor = lr_factor(step, total_steps, config)
                for group in raw_optimizer.param_groups:
                    group["lr"] = group["peak_lr"] * factor

                waited_s = time.perf_counter()
                batches = list(islice(loader, config.gradient_accumulation))
                meter.wait_s += time.perf_counter() - waited_s
                # L = (sum over micro-steps m, tokens t of l_mt) / N, with N known before the first backward: each micro-step
                # contributes grad(sum_t l_mt) / N, and the gradients add up to grad(L) however the step is split.
                num_trained = max(sum(len(batch.targets) for batch in batches), 1)
                step_loss = torch.zeros((), device=accelerator.device)
                for batch in batches:
                    micro_loss = token_loss_sum(model, batch.to(accelerator.device), dtype) / num_trained
                    accelerator.backward(micro_loss)
                    step_loss += micro_loss.detach()

                grad_norm = None
                if config.max_grad_norm is not None:
                    grad_norm = accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)

                _count(meter, batches, step_loss, num_trained)
                tokens += sum(sum(batch.segment_lengths) for batch in batches)
                trained_tokens += num_trained
                log.advance()
                is_last = step == total_steps or stop.is_set()
                is_save = is_last or (config.save_steps is not None and step % config.save_steps == 0)
                if is_save or step % config.log_steps == 0:
                    # .tolist() and float() wait for the device.
                    loss = _read_losses(meter, step, run)
                    values = _rates(meter) | {
                        "loss": loss,
                        "lr": config.learning_rate * factor,
                        "grad_norm": None if grad_norm is None else float(grad_norm),
                        "trained_tokens": trained_tokens,
                        "epoch": round(step * packs_per_step / len(plan.epoch(0)), 4),
                    }
                    log.write("train", step, values)
                    meter = Meter()
                is_eval = is_last or (config.eval_steps is not None and step % config.eval_steps == 0)
                if is_eval and val_plan is not None:
                    val_loss = validation_loss(
                        model, shards, val_plan, config=config, device=accelerator.device, dtype=dtype
                    )
                    log.write("val", step, {"loss": val_loss})
                    meter.started_s = time.perf_counter()
                if is_save:
                    now = RunState(
                        step=step,
                        tokens=tokens,
                        trained_tokens=trained_tokens,
                        identity=identity,
                        scaler=accelerator.scaler.state_dict() if accelerator.scaler else {},
                    )
                    write_checkpoint(run, now, model=raw_model, optimizer=raw_optimizer, keep=config.keep_checkpoints)
                    saved_step = step
                    meter.started_s = time.perf_counter()
        finally:
            loader.close()
        seconds = time.perf_counter() - started_s
        status = "finished" if step == total_steps else "stopped"
        log.write("end", step, {"status": status, "seconds": round(seconds, 2)})
    if status == "finished":
        model = accelerator.unwrap_model(model, keep_fp32_wrapper=False)
        write_final(run, model=model, source=source, dtype=dtype)
    return {
        "status": status,
        "step": step,
        "total_steps": total_steps,
        "loss": loss,
        "val_loss": val_loss,
        "seconds": round(seconds, 2),
        "tokens_per_s": round((tokens - first_tokens) / max(seconds, 1e-9)),
        "out": str(run),
        "checkpoint": None if saved_step is None else str(run / f"checkpoint-{saved_step}"),
        "next_command": _next_command(config, status),
    }


def token_loss_sum(model: Any, batch: PackBatch, dtype: torch.dtype) -> torch.Tensor:
    """Return the sum of the pack's token losses, float32: cross entropy at the trained positions."""
    logits_KV = model(**batch.forward_kwargs(dtype)).logits[0]
    return F.cross_entropy(logits_KV.float(), batch.targets, reduction="sum")


def lr_factor(step: int, total_steps: int, config: TrainConfig) -> float:
    """Return the learning rate of a step (from 1) as a share of its peak: warm-up from 0, then the schedule."""
    warmup = config.warmup_ratio * total_steps
    if step < warmup:
        return step / warmup
    done = (step - warmup) / max(total_steps - warmup, 1)
    if config.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return max(1 - done, 0.0) if config.schedule == "linear" else 1.0


@torch.no_grad()
def validation_loss(
    model: Any, shards: list[Shards], plan: PackPlan, *, config: TrainConfig, device: torch.device, dtype: torch.dtype
) -> float:
    """Return the mean loss per trained token over the first ``eval_packs`` packs of `plan`."""
    packs = (plan.rows(samples) for samples in plan.epoch(0)[: config.eval_packs])
    loader = PackLoader(shards, packs, config=config, model_config=base_model(model).config)
    total, count = torch.zeros((), device=device), 0
    model.eval()
    try:
        for batch in loader:
            total += token_loss_sum(model, batch.to(device), dtype)
            count += len(batch.targets)
    finally:
        loader.close()
        model.train()
    return float(total) / max(count, 1)


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
    options = ModelOptions(device=config.device, dtype=config.dtype, attention=config.attention)
    device, dtype = options.resolve_device(), options.resolve_dtype()
    if device.type == "cuda":
        torch.cuda.set_device(device)
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
        model = load_model(checkpoint or config.model, ModelOptions(device=options.device, dtype="float32", attention="sdpa"))
        model.set_attn_implementation(attention_implementation(options.attention, device=model.device, dtype=dtype))
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
    checkpoint: Path, identity: dict[str, object], model: Any, optimizer: torch.optim.Optimizer, accelerator: Accelerator
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


def _check_tokenizer_of(source: Path, shards: list[Shards]) -> None:
    if (source / "tokenizer.json").is_file():
        from dataprep.tokenization import load_tokenizer

        check_tokenizer(load_tokenizer(source), shards[0].manifest)


def _write_run_config(run: Path, config: TrainConfig, shards: list[Shards], model: Any, total_steps: int) -> None:
    content = {
        "config": config.to_json(),
        "total_steps": total_steps,
        "parameters": count_parameters(model),
        "versions": {name: _version(name) for name in _PACKAGES},
        "shards": [
            {
                "path": str(directory.directory),
                "checksum": directory.manifest.checksum,
                "model_type": directory.manifest.model_type,
                "fingerprint": directory.manifest.fingerprints.all,
            }
            for directory in shards
        ],
    }
    (run / CONFIG_NAME).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that is not installed
        return None


def _count(meter: Meter, batches: list[PackBatch], loss: torch.Tensor, num_trained: int) -> None:
    meter.losses.append(loss)
    meter.trained_tokens.append(num_trained)
    meter.locations.append(tuple(name for batch in batches for name in batch.locations))
    meter.tokens += sum(sum(batch.segment_lengths) for batch in batches)
    meter.tiles += sum(0 if batch.tiles_NSSC is None else len(batch.tiles_NSSC) for batch in batches)


def _read_losses(meter: Meter, step: int, run: Path) -> float:
    """Return the mean loss per trained token since the last line; raise for the first step whose loss is not finite."""
    losses = torch.stack(meter.losses).tolist()
    for number, value in enumerate(losses):
        if not math.isfinite(value):
            checkpoints = list_checkpoints(run)
            raise NonFiniteLossError(
                step - len(losses) + number + 1, meter.locations[number], str(checkpoints[-1]) if checkpoints else None
            )
    return sum(map(float.__mul__, losses, map(float, meter.trained_tokens))) / sum(meter.trained_tokens)


def _rates(meter: Meter) -> dict[str, float | str | None]:
    seconds = max(time.perf_counter() - meter.started_s, 1e-9)
    return {
        "tokens_per_s": round(meter.tokens / seconds, 1),
        "tiles_per_s": round(meter.tiles / seconds, 2),
        "step_s": round(seconds / len(meter.losses), 5),
        "data_wait_share": round(meter.wait_s / seconds, 4),
    }


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets; the run then saves and ends. The second SIGINT interrupts."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _next_command(config: TrainConfig, status: str) -> str:
    shards = " ".join(config.shards)
    if status == "stopped":
        return f"dataprep train {shards} --model {config.model} --out {config.out} --resume auto"
    how = f"--model {config.model} --adapter {config.out}" if config.sft_type == "lora" else f"--model {config.out}"
    return f"dataprep eval {shards} --split {config.val_split} {how}"
