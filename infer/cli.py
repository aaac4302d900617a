"""The commands ``dataprep eval``, ``infer`` and ``export``: parse, call, print. torch loads when a command runs."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infer.threads import let_idle_threads_sleep


class OutputFormat(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


class Attention(StrEnum):
    """Attention kernels."""

    AUTO = "auto"
    FLASH = "flash"
    VARLEN = "varlen"
    SDPA = "sdpa"


class UseFlashAttn(StrEnum):
    """Whether flash-attn is used."""

    AUTO = "auto"
    TRUE = "true"
    FALSE = "false"

    def as_bool(self) -> bool | None:
        """Return True, False, or None for auto."""
        return {"true": True, "false": False}.get(self.value)


ModelDir = Annotated[
    Path,
    typer.Option("--model", help="Folder of the model and its tokenizer, in the original or the transformers layout."),
]
Adapter = Annotated[Path | None, typer.Option(help="Folder of a trained adapter: the --out of a LoRA run.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
AttentionKernel = Annotated[Attention, typer.Option(help="Attention kernel.")]
FlashAttn = Annotated[UseFlashAttn, typer.Option(help="Insist on flash-attn (true) or leave it out (false).")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")]
Format = Annotated[OutputFormat, typer.Option("--format", help="Output on stdout.")]


def eval_command(
    shards: Annotated[str, typer.Argument(help="Shard directory: a folder, or a URI such as s3://bucket/folder.")],
    model: ModelDir,
    split: Annotated[str, typer.Option(help="Split to evaluate on.")] = "val",
    adapter: Adapter = None,
    out: Annotated[Path | None, typer.Option(help="Folder for report.json and predictions.jsonl.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples answered at once.")] = 8,
    max_new_tokens: MaxNewTokens = 256,
    device: Device = "auto",
    dtype: Dtype = "auto",
    attention: AttentionKernel = Attention.AUTO,
    use_flash_attn: FlashAttn = UseFlashAttn.AUTO,
    output_format: Format = OutputFormat.TEXT,
) -> None:
    """Answer every sample of a split and compare: exact match, mean IoU, P@0.5."""
    let_idle_threads_sleep()
    from infer.evaluate import EvalOptions, evaluate_shards
    from infer.model import ModelOptions
    from infer.text import report_text

    options = EvalOptions(
        split=split,
        adapter=adapter,
        out=out,
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        model=ModelOptions(
            device=device, dtype=dtype, attention=attention.value, use_flash_attn=use_flash_attn.as_bool()
        ),
    )
    report = evaluate_shards(shards, model, options)
    typer.echo(json.dumps(report, indent=2) if output_format == OutputFormat.JSON else report_text(report))


def infer_command(
    model: ModelDir,
    query: Annotated[str, typer.Option(help="The question; <image> and <video> say where media stand.")],
    image: Annotated[list[Path] | None, typer.Option(help="Image file; repeat for several.")] = None,
    video: Annotated[list[Path] | None, typer.Option(help="Video file; repeat for several.")] = None,
    adapter: Adapter = None,
    model_type: Annotated[str | None, typer.Option(help="Model type; by default that of the training run.")] = None,
    system: Annotated[str | None, typer.Option(help='System prompt; "" for none.')] = None,
    max_new_tokens: MaxNewTokens = 256,
    device: Device = "auto",
    dtype: Dtype = "auto",
    attention: AttentionKernel = Attention.AUTO,
    use_flash_attn: FlashAttn = UseFlashAttn.AUTO,
    output_format: Format = OutputFormat.TEXT,
) -> None:
    """Answer one question."""
    let_idle_threads_sleep()
    from infer.model import ModelOptions
    from infer.single import InferOptions, Question, answer_question

    options = InferOptions(
        model_dir=model,
        adapter=adapter,
        model_type=model_type,
        max_new_tokens=max_new_tokens,
        model=ModelOptions(
            device=device, dtype=dtype, attention=attention.value, use_flash_attn=use_flash_attn.as_bool()
        ),
    )
    question = Question(query=query, images=tuple(image or ()), videos=tuple(video or ()), system=system)
    answer = answer_question(question, options)
    typer.echo(json.dumps(answer, ensure_ascii=False) if output_format == OutputFormat.JSON else answer["response"])


class Layout(StrEnum):
    """Layouts of a model folder."""

    NATIVE = "native"
    ORIGINAL = "original"


def export_command(
    model: Annotated[Path, typer.Argument(help="Folder of the model, in either layout.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    layout: Annotated[Layout, typer.Option(help="native opens in transformers, original in engines for InternVL.")],
    like: Annotated[
        Path | None, typer.Option(help="Original folder that the model was made from, for its configuration.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16; by default as it is.")] = None,
) -> None:
    """Write a model folder in the other layout, tensor by tensor."""
    from dataprep.reports.progress import count_stages
    from infer.export import export_model
    from infer.model import ModelOptions

    wanted = None if dtype is None else ModelOptions(dtype=dtype).resolve_dtype()
    with count_stages() as progress:
        export_model(model, out, layout.value, like=like, dtype=wanted, progress=progress)
    typer.echo(f"written: {out}")
