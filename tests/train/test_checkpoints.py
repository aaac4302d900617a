"""Checkpoints are whole or absent; only the newest stay; a failed write leaves the older ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import train.checkpoints
from infer.model import ModelOptions, load_model
from train.checkpoints import RunState, list_checkpoints, read_state, remove_leftovers, restore, write_checkpoint
from train.errors import TrainError


@pytest.fixture
def trained(model_dir: Path) -> tuple[Any, torch.optim.AdamW]:
    model = load_model(model_dir, ModelOptions(device="cpu")).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(input_ids=torch.arange(20, 40)[None], use_cache=False).logits.sum().backward()
    optimizer.step()
    return model, optimizer


def state(step: int) -> RunState:
    return RunState(step=step, tokens=10 * step, trained_tokens=step, identity={"shards": ["x"]}, scaler={})


def test_only_the_newest_stay_and_no_pickle_is_written(tmp_path: Path, trained: tuple[Any, torch.optim.AdamW]) -> None:
    for step in (2, 10, 9):
        write_checkpoint(tmp_path, state(step), *trained, keep=2)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-9", "checkpoint-10"]
    assert read_state(tmp_path / "checkpoint-9") == state(9)
    assert {path.suffix for path in (tmp_path / "checkpoint-9").iterdir()} <= {".json", ".safetensors"}


def test_optimizer_and_random_state_come_back(tmp_path: Path, trained: tuple[Any, torch.optim.AdamW]) -> None:
    model, optimizer = trained
    path = write_checkpoint(tmp_path, state(1), model, optimizer, keep=1)
    expected = torch.rand(3)
    other = torch.optim.AdamW(model.parameters(), lr=1e-3)
    restore(path, model=model, optimizer=other)
    assert torch.equal(torch.rand(3), expected)
    for parameter, entries in optimizer.state.items():
        for key, value in entries.items():
            assert torch.equal(other.state[parameter][key], value)


def test_a_full_disk_leaves_the_older_checkpoints(
    tmp_path: Path, trained: tuple[Any, torch.optim.AdamW], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, state(1), *trained, keep=1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train.checkpoints, "save_file", full)
    with pytest.raises(
        TrainError, match=r"checkpoint-2 cannot be written: .*No space left.* older checkpoints are intact"
    ):
        write_checkpoint(tmp_path, state(2), *trained, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]


def test_leftovers_of_a_killed_run_go(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-3.tmp").mkdir()
    (tmp_path / "log.tmp").write_text("")
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="is not a checkpoint of dataprep"):
        read_state(tmp_path)
