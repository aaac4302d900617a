"""A tiny model and a handful of samples that it can learn by heart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.factories import make_chat_sample, make_chat_shards, make_media, make_tiny_model
from train.config import TrainConfig

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from threads, and one thread gives equal sums everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory, goldens: Path) -> Path:
    """Untrained model with a tokenizer."""
    folder = tmp_path_factory.mktemp("model")
    return make_tiny_model(folder, tokenizer_dir=goldens / "tokenizer_nobos", hidden_size=64)


@pytest.fixture(scope="session")
def shards_dir(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Path:
    """Three pictures with a colour and a box each, and a row of text; two of them again as ``val``."""
    media = [make_media(colour, (28, 28)) for colour in COLOURS.values()]
    samples = []
    for number, colour in enumerate(COLOURS):
        box = f"<box> [[{number * 100}, 20{number}, {500 + number * 7}, 9{number}1]] </box>"
        line = 2 * number + 1
        samples.append(make_chat_sample(model_dir, line, "<image>colour?", colour, images=[number]))
        samples.append(make_chat_sample(model_dir, line + 1, "<image>where?", box, images=[number]))
    samples.append(make_chat_sample(model_dir, 7, "hello", "good day to you"))
    samples.append(make_chat_sample(model_dir, 8, "<image>colour?", "red", images=[0], split="val"))
    samples.append(make_chat_sample(model_dir, 9, "hello", "good day to you", split="val"))
    return make_chat_shards(tmp_path_factory.mktemp("data") / "shards", model_dir, samples, media)


@pytest.fixture
def config(model_dir: Path, shards_dir: Path, tmp_path: Path) -> TrainConfig:
    """Short full training on one thread."""
    return TrainConfig(
        shards=(str(shards_dir),),
        model=str(model_dir),
        out=str(tmp_path / "run"),
        sft_type="full",
        learning_rate=1e-3,
        weight_decay=0.0,
        max_steps=4,
        pack_length=80,
        device="cpu",
        log_steps=1,
        save_steps=None,
    )


@pytest.fixture
def lora_config(config: TrainConfig) -> TrainConfig:
    """The same with adapters, dropout included."""
    return replace(config, sft_type="lora", lora_dropout=0.2, lora_target_modules=("LLM",))
