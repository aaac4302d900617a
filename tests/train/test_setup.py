"""A run that cannot work is refused before its first step, in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataprep.errors import ContractError
from infer.errors import ModelError
from tests.factories import make_shards
from train.config import TrainConfig
from train.errors import TrainError
from train.loop import train
from train.setup import build


def test_the_number_of_steps_follows_from_epochs_or_steps(config: TrainConfig) -> None:
    setup = build(replace(config, max_steps=None, epochs=3, gradient_accumulation=2))
    assert setup.packs_per_step == 2
    assert setup.total_steps == -(-setup.num_packs // 2)
    assert setup.num_packs == setup.plan.num_packs(3)


def test_a_folder_that_holds_a_run_is_refused(config: TrainConfig) -> None:
    train(replace(config, max_steps=1))
    with pytest.raises(TrainError, match="already holds a run; choose another --out, or go on with --resume auto"):
        build(config)
    with pytest.raises(TrainError, match=r"checkpoint .*nowhere does not exist"):
        build(replace(config, resume=str(Path(config.out) / "nowhere")))


def test_a_run_goes_on_with_the_same_data_only(config: TrainConfig) -> None:
    train(replace(config, max_steps=1))
    for changes, name in (({"pack_length": 90}, "packs"), ({"micro_batch_size": 2}, "packs_per_step")):
        with pytest.raises(TrainError, match=rf"was trained with {name} .*, and this run has"):
            build(replace(config, resume="auto", **changes))


def test_resume_auto_starts_where_nothing_is(config: TrainConfig) -> None:
    assert build(replace(config, resume="auto")).state.step == 0


def test_a_missing_model_or_another_tokenizer_is_refused(config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        build(replace(config, model=str(tmp_path / "nowhere")))
    with pytest.raises(ContractError, match=r"does not fit the model: tokenizer: .*; repair it with: dataprep retempl"):
        build(replace(config, shards=(str(make_shards(tmp_path / "other")),)))


def test_float16_needs_a_gpu(config: TrainConfig) -> None:
    with pytest.raises(TrainError, match="float16 trains on a CUDA device only"):
        build(replace(config, dtype="float16"))


def test_several_processes_are_refused(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainError, match="one process for now"):
        build(config)
