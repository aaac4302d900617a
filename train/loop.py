"""The training loop: shards and a model folder in, a run folder with an adapter or a model out.

Read `train` from top to bottom: build, restore, then per step: schedule, micro-steps, clip, optimizer, log,
evaluate, save. One process. The loss of a step is the sum of its token losses divided by the number of its
trained tokens over all micro-steps, so that splitting a step into micro-steps, or samples into packs, changes
nothing. Logits are computed at trained positions only.

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
from infer.conventions import CONVENTIONS, RUN_CONFIG_NAME
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

_MIXED_PRECISION = {torch.float32: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}
_PACKAGES = ("dataprep-vl", "torch", "transformers", "peft", "accelerate", "safetensors", "pyarrow", "pillow")


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


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets; the run then saves and ends. The second SIGINT
    interrupts.
    """
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
