"""Every real architecture, built without memory: its parameters are those of the table and those published."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import models_gpu
from dataprep.architectures import ARCHITECTURES
from dataprep.catalog import MODEL_TYPES
from infer.layouts import links
from infer.original_config import example_config, native_config
from infer.original_model import build_empty


def test_every_model_type_has_its_sizes() -> None:
    assert ARCHITECTURES.keys() == MODEL_TYPES.keys()


@pytest.mark.parametrize("name", [name for name in MODEL_TYPES if name not in ("internvl-chat-v1_5-int8",)])
def test_parameters_are_those_of_the_built_model_and_those_published(name: str) -> None:
    known = MODEL_TYPES[name]
    settings = native_config(example_config(ARCHITECTURES[name], known.language_model), image_token_id=1)
    model = build_empty(settings)
    parameters = dict(model.named_parameters())
    assert all(parameter.device.type == "meta" for parameter in parameters.values())
    num_parameters = sum(parameter.numel() for parameter in parameters.values())
    assert num_parameters == ARCHITECTURES[name].num_parameters
    assert num_parameters == pytest.approx(known.num_parameters_billion * 1e9, rel=0.03)
    native = [tensor for link in links(settings, known.language_model) for tensor in link.native]
    assert sorted(native) == sorted(parameters)


def test_the_benchmark_runs_at_toy_size(tmp_path: Path) -> None:
    device = torch.device("cpu")
    found = models_gpu.measure("internvl2-4b", models_gpu.shrink(ARCHITECTURES["internvl2-4b"]), tmp_path, device, 2)
    assert found["bfloat16"]["largest_error"] < 0.1
    assert found["forward"]["tokens_per_s"] > 0
