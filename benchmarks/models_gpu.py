"""Real sizes on a GPU, with random weights: ``python -m benchmarks.models_gpu [--models internvl2-2b internvl2-8b]``.

For each model an original checkpoint is drawn and written, as its repository has it: bfloat16, in shards. Then: seconds
to load it into the native model, and the host's memory; how far bfloat16 logits are from those of float32; a forward of
8 samples with 12 tiles and a thumbnail each, in samples, tokens and tiles per second, and the GPU's memory. Needs the
torch stack, pyarrow and a GPU; with ``--tiny`` the same at toy size on the CPU, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dataprep.architectures import ARCHITECTURES, Architecture
from dataprep.catalog import MODEL_TYPES
from infer.checkpoint_files import write_checkpoint
from infer.layouts import links
from infer.model import ModelOptions, load_model, tokens_per_tile
from infer.original_config import example_config, native_config
from infer.original_model import build_empty

CONTEXT_ID = 7
_SAMPLES, _TILES, _TEXT_TOKENS = 8, 13, 72
_ROUNDS = 3


def draw_checkpoint(folder: Path, config: dict[str, Any], language: str, device: torch.device) -> int:
    """Write an original checkpoint with random weights; return its bytes."""
    settings = native_config(config, image_token_id=CONTEXT_ID)
    shapes = {name: tensor.shape for name, tensor in build_empty(settings).named_parameters()}
    generator = torch.Generator(device=device).manual_seed(0)

    def tensors() -> Iterator[tuple[str, torch.Tensor]]:
        for link in links(settings, language):
            native = [_draw(name, shapes[name], generator, device) for name in link.native]
            for name, tensor in zip(link.original, link.to_original(native), strict=True):
                yield name, tensor.cpu()

    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return write_checkpoint(folder, tensors())


def _draw(name: str, shape: torch.Size, generator: torch.Generator, device: torch.device) -> torch.Tensor:
    if "lambda" in name:
        tensor = torch.full(shape, 0.1, device=device)
    elif "norm" in name and name.endswith("weight"):
        tensor = torch.ones(shape, device=device)
    else:
        tensor = torch.empty(shape, device=device).normal_(0.0, 0.02, generator=generator)
    return tensor.bfloat16()


def draw_batch(model: Any, samples: int, tiles: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Return ids (int64, [samples, length]) and pixels (the model's type, [samples * tiles, 3, side, side])."""
    generator = torch.Generator(device=device).manual_seed(1)
    side = model.config.vision_config.image_size[0]
    context = torch.full((samples, tiles * tokens_per_tile(model.config)), CONTEXT_ID, device=device)
    text = torch.randint(100, 300, (samples, _TEXT_TOKENS), generator=generator, device=device)
    pixels = torch.randn((samples * tiles, 3, side, side), generator=generator, device=device)
    return {"input_ids": torch.cat([text, context, text], dim=1), "pixel_values": pixels.to(model.dtype)}


def compare_types(half: Any, whole: Any, tiles: int, device: torch.device) -> dict[str, float]:
    """Return how far the logits of a sample in bfloat16 are from those in float32."""
    batch = draw_batch(whole, 1, tiles, device)
    with torch.inference_mode():
        exact = whole(**batch).logits[0].float()
        rounded = half(batch["input_ids"], pixel_values=batch["pixel_values"].to(half.dtype)).logits[0].float()
    error = rounded - exact
    return {
        "logits_spread": float(exact.std()),
        "mean_error": float(error.abs().mean()),
        "largest_error": float(error.abs().max()),
        "same_first_choice": float((exact.argmax(-1) == rounded.argmax(-1)).float().mean()),
    }


def time_forward(model: Any, tiles: int, device: torch.device) -> dict[str, float]:
    """Return rates of a forward of the batch, the best of a few rounds after a warm-up."""
    batch = draw_batch(model, _SAMPLES, tiles, device)
    seconds = []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with torch.inference_mode():
        for _ in range(_ROUNDS + 1):
            _wait(device)
            start = time.perf_counter()
            model(**batch, logits_to_keep=1)
            _wait(device)
            seconds.append(time.perf_counter() - start)
    best, ids = min(seconds[1:]), batch["input_ids"]
    peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
    return {
        "seconds": best,
        "samples_per_s": len(ids) / best,
        "tokens_per_s": ids.numel() / best,
        "tiles_per_s": len(batch["pixel_values"]) / best,
        "gpu_peak_gb": peak,
    }


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def measure(name: str, architecture: Architecture, folder: Path, device: torch.device, tiles: int) -> dict[str, Any]:
    """Write, load and run one model."""
    language = MODEL_TYPES[name].language_model
    start = time.perf_counter()
    size = draw_checkpoint(folder, example_config(architecture, language), language, device)
    figures: dict[str, Any] = {"checkpoint_gb": size / 1e9, "write_s": time.perf_counter() - start}
    options = ModelOptions(device=str(device), dtype="bfloat16", attention="sdpa")
    start = time.perf_counter()
    half = load_model(folder, options, image_token_id=CONTEXT_ID)
    _wait(device)
    figures["load_s"] = time.perf_counter() - start
    figures["host_peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    figures["parameters"] = sum(parameter.numel() for parameter in half.parameters())
    figures["forward"] = time_forward(half, tiles, device)
    whole = load_model(folder, replace(options, dtype="float32"), image_token_id=CONTEXT_ID)
    figures["bfloat16"] = compare_types(half, whole, tiles, device)
    return figures


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["internvl2-2b", "internvl2-8b"], choices=list(MODEL_TYPES))
    parser.add_argument("--tiny", action="store_true", help="toy sizes on the CPU")
    parser.add_argument("--folder", type=Path, help="where to write checkpoints; a temporary folder without it")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    device = torch.device("cpu" if options.tiny else "cuda")
    if not options.tiny and not torch.cuda.is_available():
        raise SystemExit("no GPU was found; --tiny runs the same at toy size on the CPU")
    found: dict[str, Any] = {
        "device": "CPU, toy sizes" if options.tiny else torch.cuda.get_device_name(),
        "torch": torch.__version__,
    }
    for name in options.models:
        architecture = shrink(ARCHITECTURES[name]) if options.tiny else ARCHITECTURES[name]
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            found[name] = measure(name, architecture, Path(folder), device, 2 if options.tiny else _TILES)
        print(json.dumps({name: found[name]}, indent=2), flush=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def shrink(architecture: Architecture) -> Architecture:
    """Return an architecture of the same kind that fits anywhere."""
    vision = replace(
        architecture.vision, hidden_size=32, num_layers=2, num_heads=4, intermediate_size=56, image_size_px=56
    )
    language = replace(
        architecture.language, hidden_size=64, num_layers=2, num_heads=4, num_key_value_heads=2, intermediate_size=56,
        vocabulary=320,
    )  # fmt: skip
    return Architecture(vision=vision, language=language)


if __name__ == "__main__":
    main()
