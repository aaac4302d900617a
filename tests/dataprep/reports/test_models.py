"""The table of model types fits a terminal and says what the catalog knows."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from dataprep.architectures import ARCHITECTURES, memory_need
from dataprep.catalog import MODEL_TYPES
from dataprep.cli import app
from dataprep.reports.models import models_object, print_models


def test_the_table_fits_100_columns_and_has_every_model() -> None:
    stream = io.StringIO()
    print_models(Console(file=stream, width=100))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 104
    assert all(sum(line.strip().startswith(f"{name} ") for line in lines) == 2 for name in MODEL_TYPES)
    assert not any("\u2026" in line for line in lines), "a name is cut"


def test_json_has_sizes_abilities_hub_ids_and_memory() -> None:
    done = CliRunner().invoke(app, ["models", "--format", "json"])
    assert done.exit_code == 0
    found = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert found == {entry["name"]: entry for entry in json.loads(json.dumps(models_object()))}
    assert found["internvl2-8b"]["num_parameters"] == 8_075_365_376
    assert found["internvl2-8b"]["abilities"] == ["images", "boxes", "images in several turns", "video"]
    assert found["internvl-chat-v1_5"]["abilities"] == ["images", "boxes"]
    assert found["internvl-chat-v1_5"]["modelscope_id"] == "AI-ModelScope/InternVL-Chat-V1-5"
    assert found["internvl2-2b"]["memory_gb"]["full"] == pytest.approx(35.29, abs=0.01)


def test_eight_bits_take_half_of_the_weights() -> None:
    whole, half = memory_need("internvl-chat-v1_5"), memory_need("internvl-chat-v1_5-int8")
    assert half.inference == whole.inference / 2 == ARCHITECTURES["internvl-chat-v1_5"].num_parameters / 1e9
    assert half.full == whole.full
