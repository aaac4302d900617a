"""Safetensors files of a checkpoint folder: read tensor by tensor, and written shard by shard.

Reading maps the files and copies one tensor at a time. Writing holds one shard in memory and gives the files their
names, with the number of all, when the last of them is written; the index comes last, so a folder with an index, or
with ``model.safetensors``, is complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from infer.errors import ModelError

INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"
MOST_SHARD_BYTES = 5_000_000_000


class CheckpointFiles:
    """The tensors of a folder by name, whichever file they are in."""

    def __init__(self, folder: Path) -> None:
        """Find out which file has which tensor.

        Raises:
            ModelError: If there are no safetensors files, one is missing or damaged, or the index points elsewhere.
        """
        self._folder = folder
        self._files: dict[str, Any] = {}
        self._file_of = self._read_index() if (folder / INDEX_NAME).is_file() else self._list_tensors()

    def names(self) -> set[str]:
        """Return the names of all tensors."""
        return set(self._file_of)

    def read(self, name: str) -> torch.Tensor:
        """Read one tensor into the host's memory.

        Raises:
            ModelError: If its file is missing or damaged, or does not have it.
        """
        try:
            return self._open(self._file_of[name]).get_tensor(name)  # type: ignore[no-any-return]
        except SafetensorError as error:
            raise ModelError(f"{self._folder / self._file_of[name]}: {error}; fetch the file again") from error

    def _open(self, file: str) -> Any:
        if file not in self._files:
            path = self._folder / file
            try:
                self._files[file] = safe_open(path, framework="pt", device="cpu")
            except (OSError, SafetensorError) as error:
                raise ModelError(f"{path} cannot be read ({error}); fetch the file again") from error
        return self._files[file]

    def _read_index(self) -> dict[str, str]:
        path = self._folder / INDEX_NAME
        try:
            files = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
            if any(Path(file).name != file or not file.endswith(".safetensors") for file in files.values()):
                raise ValueError("it names a file that is no safetensors file of this folder")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{path} is not an index of weights ({error}); fetch it again") from error
        missing = sorted({file for file in files.values() if not (self._folder / file).is_file()})
        if missing:
            raise ModelError(f"{self._folder} lacks {len(missing)} files that its index names, such as {missing[0]}")
        return dict(files)

    def _list_tensors(self) -> dict[str, str]:
        if not (self._folder / SINGLE_NAME).is_file():
            raise ModelError(
                f"{self._folder} has neither {INDEX_NAME} nor {SINGLE_NAME}; pickled weights are not opened: fetch the "
                "safetensors files, or save the model again with them"
            )
        return dict.fromkeys(self._open(SINGLE_NAME).keys(), SINGLE_NAME)


def write_checkpoint(
    folder: Path, tensors: Iterable[tuple[str, torch.Tensor]], *, most_bytes: int = MOST_SHARD_BYTES
) -> int:
    """Write tensors as safetensors files that transformers opens.

    Args:
        folder: Where to; it must exist and hold no weights.
        tensors: Names and tensors; consumed as a stream.
        most_bytes: Most bytes of a file; a tensor above that gets a file of its own.

    Returns:
        Bytes of all tensors.

    Raises:
        ModelError: If a name comes twice, or the system refuses to write.
    """
    writer = _Writer(folder, most_bytes)
    try:
        for name, tensor in tensors:
            writer.add(name, tensor)
        return writer.finish()
    except OSError as error:
        raise ModelError(
            f"{folder} cannot be written to ({error.strerror}); free some space or choose another"
        ) from error


class _Writer:
    """Collects tensors until a file is full."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._waiting: dict[str, torch.Tensor] = {}
        self._waiting_bytes = self._total_bytes = 0
        self._number_of: dict[str, int] = {}
        self._num_files = 0

    def add(self, name: str, tensor: torch.Tensor) -> None:
        if name in self._number_of:
            raise ModelError(f"the tensor {name} came twice")
        size = tensor.numel() * tensor.element_size()
        if self._waiting and self._waiting_bytes + size > self._most_bytes:
            self._write()
        self._number_of[name] = self._num_files
        self._waiting[name] = tensor.contiguous()
        self._waiting_bytes += size
        self._total_bytes += size

    def _write(self) -> None:
        save_file(self._waiting, self._part(self._num_files), metadata={"format": "pt"})
        self._waiting, self._waiting_bytes = {}, 0
        self._num_files += 1

    def _part(self, number: int) -> Path:
        return self._folder / f"weights-{number:05d}.part"

    def finish(self) -> int:
        if self._waiting or not self._num_files:
            self._write()
        if self._num_files == 1:
            self._part(0).replace(self._folder / SINGLE_NAME)
            return self._total_bytes
        names = [f"model-{n + 1:05d}-of-{self._num_files:05d}.safetensors" for n in range(self._num_files)]
        for number, name in enumerate(names):
            self._part(number).replace(self._folder / name)
        index = {
            "metadata": {"total_size": self._total_bytes},
            "weight_map": {name: names[number] for name, number in sorted(self._number_of.items())},
        }
        part = self._folder / f"{INDEX_NAME}.part"
        part.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
        part.replace(self._folder / INDEX_NAME)
        return self._total_bytes
