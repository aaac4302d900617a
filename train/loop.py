"""The training loop: shards and a model folder in, a run folder with an adapter or a model out.

Read `train` from top to bottom: build, restore, then per step: schedule, micro-steps, clip, optimizer, log,
evaluate, save. One process. The loss of a step is the sum of its token losses divided by the number of its
trained tokens over all micro-steps, so that splitting a step into micro-steps, or samples into packs, changes
nothing. Logits are computed at trained positions only.

The device is waited for in the logging, evaluation and saving blocks only.
"""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from infer.inputs import PackBatch
from infer.model import base_model
from train.checkpoints import list_checkpoints, write_checkpoint, write_final
from train.config import TrainConfig
from train.data import PackLoader
from train.errors import NonFiniteLossError
from train.log import RunLog
from train.meter import Meter
from train.setup import Setup, build


def train(config: TrainConfig) -> dict[str, Any]:  # noqa: PLR0915 - the one long function: a loop to read in one go
    """Run, or go on with, one training run.

    Args:
        config: All settings.

    Returns:
        ``status`` (finished or stopped), ``step``, ``total_steps``, last ``loss`` and ``val_loss`` (None without
        one), ``seconds``, ``tokens`` read, ``out`` and the ``next_command``.

    Raises:
        TrainError: If the run cannot start, resume or go on.
        ModelError: If the model does not load or does not fit the shards.
        SampleError: If a row cannot be read; names it.
    """
    setup = build(config)
    accelerator, total_steps, state = setup.accelerator, setup.total_steps, setup.state
    model, optimizer = accelerator.prepare(setup.model, setup.optimizer)
    first_pack = state.step * setup.packs_per_step
    packs = islice(setup.plan.stream(first_pack), setup.num_packs - first_pack)
    loader = PackLoader(setup.shards, packs, config=config, model_config=base_model(model).config)
    step, tokens, trained_tokens = state.step, state.tokens, state.trained_tokens
    started_s, is_stopping = time.perf_counter(), False
    loss = val_loss = grad_norm = None

    with closing(loader), RunLog(setup.run, total_steps=total_steps, start_step=step) as log, _stop_signal() as stop:
        meter = Meter()
        while step < total_steps and not is_stopping:
            step += 1
            factor = lr_factor(step, total_steps, config)
            for group in setup.optimizer.param_groups:
                group["lr"] = group["peak_lr"] * factor

            waited_s = time.perf_counter()
            batches = list(islice(loader, config.gradient_accumulation))
            meter.wait_s += time.perf_counter() - waited_s
            # L = (sum over micro-steps m and tokens t of l_mt) / N, with N known before the first backward: each
            # micro-step adds grad(sum_t l_mt) / N, and the sum is grad(L) however the step is split.
            num_trained = max(sum(len(batch.targets) for batch in batches), 1)
            step_loss = torch.zeros((), device=accelerator.device)
            for batch in batches:
                micro_loss = token_loss_sum(model, batch.to(accelerator.device), setup.dtype) / num_trained
                accelerator.backward(micro_loss)
                step_loss += micro_loss.detach()

            if config.max_grad_norm is not None:
                grad_norm = accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

            # A float16 gradient may overflow: the scaler then skips the step, and all is well.
            meter.add_step(batches, step_loss, num_trained, grad_norm=None if accelerator.scaler else grad_norm)
            tokens += sum(sum(batch.segment_lengths) for batch in batches)
            trained_tokens += num_trained
            is_stopping = stop.is_set()
            is_saving = step == total_steps or is_stopping or _is_due(step, config.save_steps)
            if is_saving or _is_due(step, config.log_steps):
                # Both reads wait for the device.
                loss = _read_loss(meter, step, setup.run)
                values = meter.rates() | {
                    "loss": loss,
                    "lr": config.learning_rate * factor,
                    "grad_norm": None if grad_norm is None else float(grad_norm),
                    "trained_tokens": trained_tokens,
                    "epoch": round(step * setup.packs_per_step / setup.packs_per_epoch, 4),
                }
                log.write("train", step, values)
                meter = Meter()
            log.advance()

            aside_s = time.perf_counter()
            if setup.val_plan is not None and (step == total_steps or _is_due(step, config.eval_steps)):
                val_loss = validation_loss(model, setup, config)
                log.write("val", step, {"loss": val_loss})
            if is_saving:
                scaler = accelerator.scaler.state_dict() if accelerator.scaler else {}
                state = replace(state, step=step, tokens=tokens, trained_tokens=trained_tokens, scaler=scaler)
                write_checkpoint(setup.run, state, setup.model, setup.optimizer, keep=config.keep_checkpoints)
            meter.aside_s += time.perf_counter() - aside_s
        status = "finished" if step == total_steps else "stopped"
        seconds = time.perf_counter() - started_s
        log.write("end", step, {"status": status, "seconds": round(seconds, 2)})
    if status == "finished":
        model = accelerator.unwrap_model(model, keep_fp32_wrapper=False)
        write_final(setup.run, model=model, source=Path(config.model), dtype=setup.dtype)
    return {
        "status": status,
        "step": step,
        "total_steps": total_steps,
        "loss": loss,
        "val_loss": val_loss,
        "seconds": round(seconds, 2),
        "tokens": tokens,
        "out": config.out,
        "next_command": _next_command(config, status, has_val=setup.val_plan is not None),
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
def validation_loss(model: Any, setup: Setup, config: TrainConfig) -> float:
    """Return the mean loss per trained token over the first ``eval_packs`` packs of the validation split."""
    assert setup.val_plan is not None
    plan, device = setup.val_plan, setup.accelerator.device
    packs = (plan.rows(samples) for samples in plan.epoch(0)[: config.eval_packs])
    total, count = torch.zeros((), device=device), 0
    model.eval()
    with closing(PackLoader(setup.shards, packs, config=config, model_config=base_model(model).config)) as loader:
        for batch in loader:
            total += token_loss_sum(model, batch.to(device), setup.dtype)
            count += len(batch.targets)
    model.train()
    return float(total) / max(count, 1)


def _is_due(step: int, every: int | None) -> bool:
    return every is not None and step % every == 0


def _read_loss(meter: Meter, step: int, run: Path) -> float:
    """Return the mean loss since the last line; refuse to go on from a step that was not finite."""
    loss, bad = meter.read_loss()
    if bad is not None:
        checkpoints = list_checkpoints(run)
        newest = str(checkpoints[-1]) if checkpoints else None
        raise NonFiniteLossError(step - len(meter.losses) + bad + 1, meter.locations[bad], newest)
    return loss


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets: the run saves and ends. The second one interrupts."""
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


def _next_command(config: TrainConfig, status: str, *, has_val: bool) -> str:
    shards = " ".join(config.shards)
    if status == "stopped":
        return f"dataprep train {shards} --model {config.model} --out {config.out} --resume auto"
    how = f"--model {config.model} --adapter {config.out}" if config.sft_type == "lora" else f"--model {config.out}"
    return f"dataprep eval {shards} --split {config.val_split if has_val else config.train_split} {how}"
