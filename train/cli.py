"""The command ``dataprep train``: options to a `TrainConfig`, one call, one summary. torch loads when it runs.

Every option bears the name of its field, and a test holds the defaults here against those of the dataclass.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from infer.cli import Attention, OutputFormat, UseFlashAttn
from infer.threads import let_idle_threads_sleep


class SftType(StrEnum):
    """What is trained."""

    LORA = "lora"
    FULL = "full"


class Schedule(StrEnum):
    """How the learning rate falls after the warm-up."""

    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant"


def _option(help_text: str, name: str | None = None, panel: str | None = None) -> Any:
    names = () if name is None else (name,)
    return typer.Option(*names, help=help_text, rich_help_panel=panel)


_WHAT, _STEP, _RUN, _MACHINE = "What is trained", "Optimization", "Log and checkpoints", "Machine"


def train_command(
    shards: Annotated[
        list[str], typer.Argument(help="Shard directories: folders, or URIs such as s3://bucket/folder.")
    ],
    model: Annotated[Path, _option("Folder of the model to start from, in the original or the transformers layout.")],
    out: Annotated[Path, _option("Folder of the run.")],
    resume: Annotated[
        str | None, _option("'auto' goes on from the newest checkpoint in --out, a path from that.")
    ] = None,
    sft_type: Annotated[SftType, _option("Adapters, or the weights themselves.", None, _WHAT)] = SftType.LORA,
    lora_rank: Annotated[int, _option("Rank of the adapters.", None, _WHAT)] = 8,
    lora_alpha: Annotated[float, _option("Adapters are scaled by alpha / rank.", None, _WHAT)] = 32.0,
    lora_dropout: Annotated[float, _option("Dropout before the adapters.", None, _WHAT)] = 0.05,
    lora_target_modules: Annotated[
        str, _option("DEFAULT (q, k, v of the language model), LLM, ALL, or names, comma-separated.", None, _WHAT)
    ] = "DEFAULT",
    freeze_vision: Annotated[bool, _option("Full training: leave the vision tower.", None, _WHAT)] = False,
    freeze_projector: Annotated[bool, _option("Full training: leave the projector.", None, _WHAT)] = False,
    freeze_language: Annotated[bool, _option("Full training: leave the language model.", None, _WHAT)] = False,
    learning_rate: Annotated[float, _option("Peak learning rate.", None, _STEP)] = 1e-4,
    vision_learning_rate: Annotated[float | None, _option("That of the vision tower.", None, _STEP)] = None,
    projector_learning_rate: Annotated[float | None, _option("That of the projector.", None, _STEP)] = None,
    schedule: Annotated[Schedule, _option("Fall of the learning rate.", None, _STEP)] = Schedule.COSINE,
    warmup_ratio: Annotated[float, _option("Share of the steps that warm up.", None, _STEP)] = 0.05,
    weight_decay: Annotated[float, _option("AdamW's decay of matrices.", None, _STEP)] = 0.1,
    adam_beta1: Annotated[float, _option("AdamW's decay of the mean.", None, _STEP)] = 0.9,
    adam_beta2: Annotated[float, _option("AdamW's decay of the variance.", None, _STEP)] = 0.95,
    max_grad_norm: Annotated[float, _option("Clip gradients to this norm; 0 leaves them.", None, _STEP)] = 1.0,
    epochs: Annotated[float, _option("Passes over the data.", None, _STEP)] = 1.0,
    max_steps: Annotated[int | None, _option("Optimizer steps, instead of epochs.", None, _STEP)] = None,
    pack_length: Annotated[int, _option("Tokens of a pack.", None, _STEP)] = 4096,
    packing: Annotated[bool, _option("Several samples in one pack.", None, _STEP)] = True,
    micro_batch_size: Annotated[int, _option("Packs at once.", None, _STEP)] = 1,
    gradient_accumulation: Annotated[int, _option("Micro-steps per optimizer step.", None, _STEP)] = 1,
    train_split: Annotated[str, _option("Split to train on.", None, _RUN)] = "train",
    val_split: Annotated[str, _option("Split for validation loss.", None, _RUN)] = "val",
    dtype: Annotated[str, _option("auto, float32, bfloat16 or float16.", None, _MACHINE)] = "auto",
    device: Annotated[str, _option("auto, cpu, cuda or cuda:N.", None, _MACHINE)] = "auto",
    attention: Annotated[Attention, _option("Attention kernel.", None, _MACHINE)] = Attention.AUTO,
    use_flash_attn: Annotated[
        UseFlashAttn, _option("Insist on flash-attn (true) or leave it out (false).", None, _MACHINE)
    ] = UseFlashAttn.AUTO,
    gradient_checkpointing: Annotated[bool, _option("Less memory, more time.", None, _MACHINE)] = False,
    num_threads: Annotated[int | None, _option("CPU threads of one operation.", None, _MACHINE)] = None,
    num_workers: Annotated[int, _option("Threads that decode ahead.", None, _MACHINE)] = 1,
    cache_bytes: Annotated[int, _option("Memory for decoded tiles.", None, _MACHINE)] = 256 << 20,
    seed: Annotated[int, _option("Of pack order, adapters and dropout.", None, _STEP)] = 0,
    log_steps: Annotated[int, _option("Steps between log lines.", None, _RUN)] = 10,
    eval_steps: Annotated[int | None, _option("Steps between validation losses.", None, _RUN)] = None,
    eval_packs: Annotated[int, _option("Most packs of a validation loss.", None, _RUN)] = 64,
    save_steps: Annotated[int | None, _option("Steps between checkpoints; 0 only at the end.", None, _RUN)] = 500,
    keep_checkpoints: Annotated[int, _option("Newest checkpoints that stay.", None, _RUN)] = 2,
    output_format: Annotated[OutputFormat, _option("Summary on stdout.", "--format")] = OutputFormat.TEXT,
) -> None:
    """Train adapters or a whole model on prepared shards."""
    values = dict(locals())
    let_idle_threads_sleep()
    from train.config import TrainConfig
    from train.loop import train

    del values["output_format"]
    values |= {name: value.value for name, value in values.items() if isinstance(value, StrEnum)}
    values |= {"shards": tuple(shards), "model": str(model), "out": str(out)}
    values |= {"lora_target_modules": tuple(lora_target_modules.split(",")), "use_flash_attn": use_flash_attn.as_bool()}
    values |= {"max_grad_norm": max_grad_norm or None, "save_steps": save_steps or None}
    result = train(TrainConfig(**values))
    typer.echo(json.dumps(result, indent=2) if output_format == OutputFormat.JSON else _summary(result))


def _summary(result: dict[str, object]) -> str:
    lines = [f"{result['status']} at step {result['step']} of {result['total_steps']}: {result['out']}"]
    lines += [f"{name}: {result[name]:.4f}" for name in ("loss", "val_loss") if result[name] is not None]
    lines.append(f"{result['tokens']:,} tokens in {result['seconds']:,.1f} s")
    return "\n".join([*lines, f"next: {result['next_command']}"])
