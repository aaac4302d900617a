"""Write a model folder in the other layout, tensor by tensor: for engines that serve InternVL, or for transformers.

Nothing is computed and no model is built; the host holds one file of the new weights. The folder appears under its name
when it is whole.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import InternVLConfig

from infer.checkpoint_files import CheckpointFiles, write_checkpoint
from infer.errors import ModelError
from infer.layouts import Source, links, to_native, to_original
from infer.model import read_config
from infer.original_config import is_original, language_type, native_config
from infer.original_model import read_context_id

LAYOUTS = ("native", "original")
Progress = Callable[[str, int, int], None]
"""Called with the stage, what is done of it, and how much there is."""

_WEIGHTS = re.compile(r".*\.(safetensors|bin|pt|pth|msgpack|h5|gguf|onnx)|.*\.index\.json|config\.json")
_MOST_COPIED_BYTES = 64 << 20
_STORED_NAMES = (
    ("model.vision_tower.", "vision_tower."),
    ("model.multi_modal_projector.", "multi_modal_projector."),
    ("model.language_model.", "language_model.model."),
    ("lm_head.", "language_model.lm_head."),
)
"""Beginnings of native names: in a model, and in a folder that transformers has saved."""


class NativeFiles:
    """The tensors of a native folder under the names that a model has."""

    def __init__(self, files: Source) -> None:
        """Take the folder's files."""
        self._files = files
        self._stored = {_name_in_model(name): name for name in files.names()}

    def names(self) -> set[str]:
        """Return the names of all tensors."""
        return set(self._stored)

    def read(self, name: str) -> torch.Tensor:
        """Read one tensor into the host's memory."""
        return self._files.read(self._stored[name])


def _name_in_model(stored: str) -> str:
    for in_model, in_folder in _STORED_NAMES:
        if stored.startswith(in_folder):
            return in_model + stored.removeprefix(in_folder)
    return stored


def _name_in_folder(name: str) -> str:
    for in_model, in_folder in _STORED_NAMES:
        if name.startswith(in_model):
            return in_folder + name.removeprefix(in_model)
    return name


def export_model(
    source: Path,
    out: Path,
    layout: str,
    *,
    like: Path | None = None,
    dtype: torch.dtype | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> None:
    """Write a model folder in a layout.

    Args:
        source: Folder of either layout.
        out: Folder to make.
        layout: ``native`` or ``original``.
        like: For ``original`` from a native folder: the original folder that the model was made from, whose
            configuration, tokenizer and other files are taken.
        dtype: Type of all weights; None keeps that of each tensor.
        progress: Told how many tensors are written.

    Raises:
        ModelError: If the folders do not belong together, or cannot be read or written.
    """
    if layout not in LAYOUTS:
        raise ModelError(f"layout {layout!r} is unknown; choose {' or '.join(LAYOUTS)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out} holds something else; choose an empty or new folder for --out")
    config = read_config(source)
    pattern = source if like is None else like
    original = config if is_original(config) and like is None else read_config(pattern)
    if not is_original(original):
        raise ModelError(f"{pattern} is not in the original layout; name the model's original folder with --like")
    settings = native_config(original, image_token_id=_context_id(config, pattern))
    if not is_original(config):
        _check_same_shapes(config, settings, source, pattern)
    work = out.with_name(f"{out.name}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tensors = _tensors(source, config, settings, layout, language_type(original))
    write_checkpoint(work, _counted(tensors, dtype, progress))
    _write_config(work, layout, original, settings, dtype)
    _copy_other_files(source if layout == "native" else pattern, work)
    if out.exists():
        out.rmdir()
    work.rename(out)


def _context_id(config: Mapping[str, Any], folder: Path) -> int:
    known = config.get("image_token_id")
    return read_context_id(folder) if known is None else int(known)


def _check_same_shapes(config: Mapping[str, Any], settings: InternVLConfig, source: Path, like: Path) -> None:
    """Raise ModelError unless a native folder has the sizes that the original folder says."""
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    for part in ("text_config", "vision_config"):
        wanted: Any = getattr(settings, part)
        for name in names:
            found = config.get(part, {}).get(name)
            expected = getattr(wanted, name, None)
            if None not in (found, expected) and found != expected:
                raise ModelError(f"{source} is not made from {like}: its {part}.{name} is {found}, not {expected}")


def _tensors(
    source: Path, config: Mapping[str, Any], settings: InternVLConfig, layout: str, language: str
) -> tuple[int, Iterator[tuple[str, torch.Tensor]]]:
    """Return how many tensors the new folder has, and the tensors with their names there."""
    files: Source = CheckpointFiles(source)
    plan = links(settings, language)
    if layout == "original":
        count = sum(len(link.original) for link in plan)
        if is_original(config):
            return len(files.names()), ((name, files.read(name)) for name in sorted(files.names()))
        return count, to_original(NativeFiles(files), plan)
    count = sum(len(link.native) for link in plan)
    if not is_original(config):
        return len(files.names()), ((name, files.read(name)) for name in sorted(files.names()))
    return count, ((_name_in_folder(name), tensor) for name, tensor in to_native(files, plan))


def _counted(
    tensors: tuple[int, Iterator[tuple[str, torch.Tensor]]], dtype: torch.dtype | None, progress: Progress
) -> Iterator[tuple[str, torch.Tensor]]:
    count, pairs = tensors
    for number, (name, tensor) in enumerate(pairs, start=1):
        yield name, tensor if dtype is None else tensor.to(dtype)
        progress("tensors", number, count)


def _write_config(
    folder: Path, layout: str, original: Mapping[str, Any], settings: InternVLConfig, dtype: torch.dtype | None
) -> None:
    name = str(dtype).removeprefix("torch.") if dtype is not None else original.get("torch_dtype")
    if layout == "native":
        settings.architectures = ["InternVLForConditionalGeneration"]
        if name is not None:
            settings.dtype = name
        settings.save_pretrained(folder)
        return
    content = dict(original) | ({} if name is None else {"torch_dtype": name})
    (folder / "config.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _copy_other_files(source: Path, out: Path) -> None:
    """Copy what lies beside the weights, tokenizer and settings for generation above all, as it is."""
    for path in sorted(source.iterdir()):
        is_copied = path.is_file() and not _WEIGHTS.fullmatch(path.name)
        if is_copied and path.stat().st_size <= _MOST_COPIED_BYTES:
            shutil.copyfile(path, out / path.name)
