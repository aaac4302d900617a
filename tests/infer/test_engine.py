"""Batched greedy decoding answers each prompt as if it were alone, and as a full forward pass would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dataprep.shards.samples import Sample
from infer.engine import GenerationSettings, Prompt, generate, prompt_ids
from infer.errors import ModelError
from infer.inputs import normalise_tiles
from infer.model import ModelOptions, load_model
from tests.factories import make_sample, make_tiny_model

STOP = GenerationSettings(stop_ids=(2,), max_new_tokens=12)


@pytest.fixture(scope="module", params=["qwen2", "llama"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = make_tiny_model(tmp_path_factory.mktemp("model"), language=request.param, seed=3)
    return load_model(folder, ModelOptions(device="cpu", dtype="float32"))


def prompts() -> list[Prompt]:
    rng = np.random.default_rng(0)
    made = []
    for length, num_tiles in ((5, 0), (17, 2), (9, 1), (30, 0), (12, 1)):
        ids = rng.integers(10, 128, length)
        ids[1 : 1 + 4 * num_tiles] = 9
        tiles = rng.integers(0, 256, (num_tiles, 28, 28, 3), dtype=np.uint8) if num_tiles else None
        made.append(Prompt(ids, tiles))
    return made


def test_a_batch_equals_one_at_a_time(model: Any) -> None:
    together = generate(model, prompts(), STOP)
    alone = [generate(model, [prompt], STOP)[0] for prompt in prompts()]
    assert together == alone
    assert len({tuple(answer) for answer in together}) > 1


def test_the_cache_equals_a_full_forward_pass(model: Any) -> None:
    prompt = prompts()[1]
    answer = generate(model, [prompt], STOP)[0]
    ids = list(prompt.input_ids)
    expected = []
    for _ in range(len(answer)):
        with torch.no_grad():
            logits = model(
                input_ids=torch.tensor([ids]),
                pixel_values=normalise_tiles(torch.from_numpy(prompt.tiles_NSSC), torch.float32),
            ).logits[0, -1]
        logits[9] = -torch.inf
        expected.append(int(logits.argmax()))
        ids.append(expected[-1])
    assert answer == expected


def test_an_answer_ends_before_its_stop_token(model: Any) -> None:
    free = generate(model, prompts(), STOP)
    stop = free[0][3]
    answers = generate(model, prompts(), GenerationSettings(stop_ids=(stop,), max_new_tokens=12))
    for answer, full in zip(answers, free, strict=True):
        assert answer == (full[: full.index(stop)] if stop in full else full)


def test_a_prompt_without_room_is_refused(model: Any) -> None:
    with pytest.raises(ModelError, match="a prompt of 30 tokens and 1000 new ones exceed the model's 1024 positions"):
        generate(model, prompts(), GenerationSettings(stop_ids=(2,), max_new_tokens=1000))


def test_the_prompt_ends_where_the_last_answer_begins() -> None:
    base = make_sample(1, text_tokens=10)

    def with_trained(*positions: int) -> Sample:
        labels = np.full(10, -100, dtype=np.int32)
        labels[list(positions)] = base.input_ids[list(positions)]
        return Sample(**{n: getattr(base, n) for n in Sample.__slots__ if n != "labels"}, labels=labels)

    assert len(prompt_ids(with_trained(2, 3, 7, 8, 9))) == 7
    assert len(prompt_ids(with_trained(4, 5))) == 4
    assert len(prompt_ids(with_trained())) == 10
