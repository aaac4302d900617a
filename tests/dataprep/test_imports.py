"""What importing and linting load: no model library ever, and nothing heavy for rows that are fine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

MODEL_LIBRARIES = ["torch", "transformers", "peft", "accelerate", "flash_attn"]
HEAVY = [*MODEL_LIBRARIES, "jsonschema", "polars", "pyarrow", "decord", "av", "jinja2", "datasets"]


def loaded_by(code: str, *arguments: str) -> list[str]:
    """Run code in a fresh interpreter and return which of the heavy packages it has loaded in the end."""
    report = f"print('\\nLOADED', *(name for name in {HEAVY} if name in sys.modules))"
    guarded = f"import sys\ntry:\n    exec({code!r})\nfinally:\n    {report}"
    command = [sys.executable, "-W", "error", "-c", guarded, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    _, marker, names = done.stdout.rpartition("\nLOADED")
    assert marker, done
    return names.split()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    entry = {"caption": "cat", "bbox": [1, 2, 30, 40], "bbox_type": "real", "image": 0}
    row = {"query": "find <ref-object>", "response": "<bbox>", "images": ["a.png"], "objects": [entry]}
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row | {"id": number}) + "\n" for number in range(10)))
    return path


CLI = "import sys; from dataprep.cli import main; sys.argv = ['dataprep', *sys.argv[1:]]; main()"


def test_importing_the_package_loads_nothing() -> None:
    assert loaded_by("import dataprep; dataprep.__version__") == []


def test_help_loads_no_model_library() -> None:
    assert not set(loaded_by(CLI, "--help")) & set(MODEL_LIBRARIES)


def test_lint_of_good_rows_loads_neither_validator_nor_tables(rows: Path) -> None:
    assert loaded_by(CLI, "lint", str(rows)) == []


def test_lint_of_bad_rows_loads_the_validator_only(rows: Path) -> None:
    with rows.open("a") as file:
        file.write('{"query": 5, "response": "r"}\n')
    assert loaded_by(CLI, "lint", str(rows)) == ["jsonschema"]


def test_lint_to_the_level_of_tokens_loads_no_model_library(rows: Path, goldens: Path) -> None:
    found = loaded_by(CLI, "lint", str(rows), "--for", "internvl2-8b", "--model", str(goldens / "tokenizer_bos"))
    assert not set(found) & {*MODEL_LIBRARIES, "polars", "jsonschema"}


def test_functions_of_the_package_load_what_they_need() -> None:
    assert loaded_by("from dataprep import lint") == []
    assert loaded_by("from dataprep import convert, open_shards") == ["pyarrow"]
    assert loaded_by("from dataprep import verify") == ["jsonschema", "pyarrow"]


def test_names_that_the_package_does_not_have() -> None:
    code = "import dataprep; assert dir(dataprep) == dataprep.__all__; assert not hasattr(dataprep, 'repair')"
    assert loaded_by(code) == []
