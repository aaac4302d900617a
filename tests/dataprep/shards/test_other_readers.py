"""The files open as they are in pyarrow, polars and Hugging Face datasets, and hold the same rows there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from tests.factories import default_samples, make_shards

ROOT = Path(__file__).parents[3]


def expected_rows() -> list[dict[str, Any]]:
    return [
        {
            "input_ids": sample.input_ids.tolist(),
            "labels": sample.labels.tolist(),
            "length": len(sample.input_ids),
            "num_trained_tokens": int((sample.labels != -100).sum()),
            "images": [{name: getattr(image, name) for name in image.__slots__} for image in sample.images],
            "prompt": sample.prompt,
            "response": sample.response,
            "boxes": [{name: getattr(box, name) for name in box.__slots__} for box in sample.boxes],
            "source_file": sample.source_file,
            "source_line": sample.source_line,
            "row_hash": sample.row_hash,
            "split": sample.split,
        }
        for sample in default_samples()
    ]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    return make_shards(tmp_path / "shards")


def sample_files(shards: Path) -> list[Path]:
    return sorted(shards.glob("samples-*.arrow"))


def test_pyarrow(shards: Path) -> None:
    rows = [row for file in sample_files(shards) for row in pa.ipc.open_file(file).read_all().to_pylist()]
    assert rows == expected_rows()


def test_pyarrow_maps_without_copying(shards: Path) -> None:
    before = pa.total_allocated_bytes()
    with pa.memory_map(str(sample_files(shards)[0])) as file:
        table = pa.ipc.open_file(file).read_all()
        assert table.num_rows == 3
        assert pa.total_allocated_bytes() == before


def test_polars(shards: Path) -> None:
    pattern = str(shards / "samples-*.arrow")
    assert pl.scan_ipc(pattern).collect().to_dicts() == expected_rows()
    assert pl.read_ipc(sample_files(shards)[0]).to_dicts() == expected_rows()[:3]
    ledger = pl.read_ipc(shards / "ledger.arrow")
    assert ledger["outcome"].to_list() == ["converted"] * 6 + ["rejected"]
    assert pl.read_ndjson(shards / "rejects.jsonl")["source_line"].to_list() == [7]


def test_datasets(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    from datasets import load_dataset

    files = [str(file) for file in sample_files(shards)]
    loaded = load_dataset("arrow", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == expected_rows()


def test_the_example_reader_of_the_documentation_reads_the_shards(shards: Path) -> None:
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        code = example.replace('"shards', f'"{shards}')
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120,
            env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(shards.parent / "hf"), "PATH": "", "HOME": str(shards.parent)},
        )  # fmt: skip
        assert "answer 2" in done.stdout
