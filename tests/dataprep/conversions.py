"""Small conversions for the tests of conversion and of what it is made of."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from dataprep.config import ConvertConfig

GOLDENS = Path(__file__).resolve().parent.parent / "fixtures" / "goldens"
TOKENIZER = GOLDENS / "tokenizer_nobos"
SKIP = {"on_bad": "skip", "max_bad_ratio": 1.0, "split": "val=0.4"}
"""Options that accept bad rows and draw a split."""


def make_options(**changes: Any) -> ConvertConfig:
    """Options for the Qwen2 model type and the byte tokenizer, with changes."""
    return ConvertConfig(**({"model_type": "internvl2-1b", "model": TOKENIZER} | changes))


def write_rows(path: Path, rows: Sequence[dict[str, Any] | str]) -> str:
    """Write rows, or lines as they are, and return the path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def text_row(number: int) -> dict[str, Any]:
    """A row without media."""
    return {"query": f"What is {number} and one?", "response": f"It is {number + 1}."}


def image_row(*paths: str, query: str = "What is it?") -> dict[str, Any]:
    """A row about images."""
    return {"query": "<image>" * len(paths) + query, "response": "A colour.", "images": list(paths)}


def encode_png(color: tuple[int, int, int], size: tuple[int, int] = (24, 24)) -> bytes:
    """PNG of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, "PNG")
    return stream.getvalue()


def write_png(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (24, 24)) -> Path:
    """Write a PNG of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(color, size))
    return path


def data_uri(data: bytes) -> str:
    """The image as a ``data:`` URI."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


def write_varied(folder: Path) -> str:
    """Write 26 rows with text, images, twins of images, inline data, a video, and two bad rows; return the path."""
    for number in range(6):
        write_png(folder / f"{number}.png", (40 * number, 10, 10), (40 * (1 + number % 3), 40))
    (folder / "twin.png").write_bytes((folder / "0.png").read_bytes())
    clip = GOLDENS / "videos" / "v30.mp4"
    (folder / clip.name).write_bytes(clip.read_bytes())
    rows: list[dict[str, Any] | str] = [text_row(number) for number in range(10)]
    rows[3:3] = [image_row(f"{number}.png") for number in range(6)] + ['{"query": "cut', image_row("gone.png")]
    rows += [image_row("5.png", "0.png"), image_row("twin.png"), image_row(data_uri((folder / "1.png").read_bytes()))]
    rows += [{"query": "<video>What moves?", "response": "A dot.", "videos": [clip.name]}] * 2
    rows += [image_row(f"{number}.png", query="Again?") for number in range(3)]
    return write_rows(folder / "rows.jsonl", rows)


def read_files(folder: Path) -> dict[str, bytes]:
    """Name and bytes of everything in a shard directory."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of an Arrow file."""
    rows: list[dict[str, Any]] = pa.ipc.open_file(pa.BufferReader(path.read_bytes())).read_all().to_pylist()
    return rows


def read_ledger(folder: Path) -> list[dict[str, Any]]:
    """Rows of the ledger."""
    return read_table(folder / "ledger.arrow")


def read_outcomes(folder: Path) -> list[str]:
    """What became of each row, in order."""
    return [row["outcome"] for row in read_ledger(folder)]


def read_rejects(folder: Path) -> list[dict[str, Any]]:
    """Entries of ``rejects.jsonl``."""
    return [json.loads(line) for line in (folder / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]


def write_half_bad(folder: Path, num_bad: int = 3, num_rows: int = 10) -> str:
    """Write rows of text, the first of them with an image that is not there."""
    rows: list[Any] = [image_row("gone.png") if number < num_bad else text_row(number) for number in range(num_rows)]
    return write_rows(folder / "rows.jsonl", rows)
