"""The invariants of training: packing, accumulation, checkpointing and interruption change nothing that is learnt."""

from __future__ import annotations

import json
import math
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import train.loop
from infer.evaluate import EvalOptions, evaluate_shards
from infer.model import ModelOptions, load_model
from train.checkpoints import list_checkpoints
from train.config import TrainConfig
from train.errors import NonFiniteLossError
from train.log import read_log
from train.loop import lr_factor


def run(config: TrainConfig, name: str, **changes: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    changed = replace(config, out=f"{config.out}-{name}", **changes)
    result = train.loop.train(changed)
    return result, [event for event in read_log(Path(changed.out)) if event["event"] == "train"]


def losses(events: list[dict[str, Any]]) -> list[float]:
    return [event["loss"] for event in events]


def assert_equal_runs(first: list[dict[str, Any]], second: list[dict[str, Any]], tolerance: float) -> None:
    assert losses(first) == pytest.approx(losses(second), abs=tolerance)
    norms = ([event["grad_norm"] for event in events] for events in (first, second))
    assert next(norms) == pytest.approx(next(norms), abs=10 * tolerance)


def test_learns_answers_and_boxes_by_heart(config: TrainConfig, tmp_path: Path) -> None:
    result, events = run(config, "full", max_steps=150, pack_length=400, learning_rate=3e-3, log_steps=25)
    assert result["status"] == "finished"
    assert events[-1]["loss"] < 0.05 < 3 < events[0]["loss"]
    options = EvalOptions(split="train", out=tmp_path / "out", max_new_tokens=48, model=ModelOptions(device="cpu"))
    report = evaluate_shards(config.shards[0], result["out"], options)
    assert report["exact_match"] == 1.0
    assert report["grounding"] == {"num_samples": 3, "mean_iou": 1.0, "precision_50": 1.0, "num_parse_failures": 0}
    untrained = evaluate_shards(config.shards[0], config.model, replace(options, out=tmp_path / "before"))
    assert untrained["exact_match"] == 0.0


def test_packed_equals_unpacked(config: TrainConfig) -> None:
    _, packed = run(config, "packed", pack_length=400)
    _, single = run(config, "single", packing=False, gradient_accumulation=7)
    assert_equal_runs(packed, single, 1e-5)
    assert [event["trained_tokens"] for event in packed] == [event["trained_tokens"] for event in single]


def test_accumulation_equals_one_large_micro_step(config: TrainConfig) -> None:
    _, whole = run(config, "whole", micro_batch_size=2)
    _, halves = run(config, "halves", gradient_accumulation=2)
    assert_equal_runs(whole, halves, 1e-5)


def test_gradient_checkpointing_changes_nothing(config: TrainConfig) -> None:
    _, plain = run(config, "plain")
    _, checkpointed = run(config, "checkpointed", gradient_checkpointing=True)
    assert_equal_runs(plain, checkpointed, 1e-6)


def test_loader_threads_change_nothing(config: TrainConfig) -> None:
    _, none = run(config, "none", num_workers=0)
    _, three = run(config, "three", num_workers=3, cache_bytes=0)
    assert losses(none) == losses(three)


@pytest.mark.parametrize("fixture", ["config", "lora_config"])
def test_resumed_equals_uninterrupted(fixture: str, request: pytest.FixtureRequest) -> None:
    config: TrainConfig = request.getfixturevalue(fixture)
    _, whole = run(config, "whole", max_steps=7, save_steps=3, keep_checkpoints=5)
    resumed = Path(f"{config.out}-resumed")
    resumed.mkdir()
    shutil.copytree(f"{config.out}-whole/checkpoint-3", resumed / "checkpoint-3")
    lines = Path(f"{config.out}-whole/log.jsonl").read_text().splitlines(keepends=True)
    (resumed / "log.jsonl").write_text("".join(lines[:5]) + '{"event": "tra')  # killed in step 6, while writing
    (resumed / "checkpoint-6.tmp").mkdir()
    result, events = run(config, "resumed", max_steps=7, save_steps=3, resume="auto")
    assert result["status"] == "finished"
    assert [event["step"] for event in events] == list(range(1, 8))
    assert losses(events) == losses(whole)
    assert not (resumed / "checkpoint-6.tmp").exists()
    name = "model.safetensors" if config.sft_type == "full" else "adapter_model.safetensors"
    first, second = (load_file(f"{config.out}-{which}/{name}") for which in ("whole", "resumed"))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_lora_trains_adapters_only_and_serves_from_run_and_checkpoint(lora_config: TrainConfig) -> None:
    result, _ = run(lora_config, "lora", max_steps=3, save_steps=2)
    options = ModelOptions(device="cpu")
    before = dict(load_model(lora_config.model, options).named_parameters())
    for folder in (Path(result["out"]), Path(result["out"]) / "checkpoint-3"):
        adapted = load_model(lora_config.model, options, adapter=folder)
        base = {name: value for name, value in adapted.get_base_model().named_parameters() if "lora_" not in name}
        assert len(base) == len(before)
        for name, value in base.items():
            assert torch.equal(value, before[name.replace(".base_layer", "")])
        assert any(value.abs().sum() > 0 for name, value in adapted.named_parameters() if "lora_B" in name)
    assert not list(Path(result["out"]).rglob("README.md"))
    assert not list(Path(result["out"]).rglob("*.bin"))
    assert not list(Path(result["out"]).rglob("*.pt"))


def test_full_trains_every_part_but_the_frozen(config: TrainConfig) -> None:
    result, _ = run(config, "frozen", freeze_vision=True)
    before, after = (load_file(Path(folder) / "model.safetensors") for folder in (config.model, result["out"]))
    # The key biases of attention have no influence on its output, so they may stay.
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not {name for name in changed if "vision_tower" in name}
    assert {name for name in before if "vision_tower" not in name and name.endswith("weight")} <= changed
    result, _ = run(config, "all")
    after = load_file(Path(result["out"]) / "model.safetensors")
    assert any(not torch.equal(before[name], after[name]) for name in before if "vision_tower" in name)


def test_the_model_of_a_run_is_complete(config: TrainConfig) -> None:
    result, _ = run(config, "bf16", dtype="bfloat16")
    folder = Path(result["out"])
    assert (folder / "tokenizer.json").read_bytes() == (Path(config.model) / "tokenizer.json").read_bytes()
    assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {torch.bfloat16}
    assert {value.dtype for value in load_file(folder / "checkpoint-4" / "model.safetensors").values()} == {
        torch.float32
    }
    assert math.isfinite(result["loss"])
    saved = json.loads((folder / "train_config.json").read_text())
    assert TrainConfig.from_json(saved["config"]) == replace(config, out=result["out"], dtype="bfloat16")
    assert saved["shards"][0]["model_type"] == "internvl2-8b"
    assert saved["versions"]["torch"] == torch.__version__


def test_validation_loss_is_taken_when_due_and_at_the_end(config: TrainConfig) -> None:
    result, _ = run(config, "val", eval_steps=3)
    events = [event for event in read_log(Path(result["out"])) if event["event"] == "val"]
    assert [event["step"] for event in events] == [3, 4]
    assert events[-1]["loss"] == result["val_loss"]
    assert result["next_command"].startswith("dataprep eval")


def test_epochs_see_every_sample_once(config: TrainConfig) -> None:
    result, events = run(config, "epochs", max_steps=None, epochs=2, gradient_accumulation=2)
    num_trained = sum(
        json.loads((Path(config.shards[0]) / "manifest.json").read_text())["splits"]["train"][key]
        for key in ("trained_tokens",)
    )
    assert events[-1]["trained_tokens"] == 2 * num_trained
    assert result["step"] == result["total_steps"]


def test_sigint_saves_and_the_run_goes_on_as_if_nothing_had_been(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = run(config, "whole", max_steps=5)
    original, calls = train.loop.token_loss_sum, []
    handler = signal.getsignal(signal.SIGINT)  # ignored, where a shell runs the tests in the background

    def interrupted(*args: Any) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return original(*args)

    monkeypatch.setattr(train.loop, "token_loss_sum", interrupted)
    result, _ = run(config, "stopped", max_steps=5)
    assert (result["status"], result["step"]) == ("stopped", 2)
    assert result["next_command"].endswith("--resume auto")
    assert [path.name for path in list_checkpoints(Path(result["out"]))] == ["checkpoint-2"]
    assert signal.getsignal(signal.SIGINT) is handler
    result, events = run(config, "stopped", max_steps=5, resume="auto")
    assert result["status"] == "finished"
    assert losses(events) == losses(whole)


def test_a_loss_that_is_not_finite_names_its_rows(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = train.loop.token_loss_sum, []

    def broken(*args: Any) -> torch.Tensor:
        calls.append(args[1].locations)
        return original(*args) * (math.nan if len(calls) == 3 else 1.0)

    monkeypatch.setattr(train.loop, "token_loss_sum", broken)
    with pytest.raises(NonFiniteLossError) as caught:
        run(config, "nan", max_steps=6, save_steps=2, log_steps=2)
    assert caught.value.step == 3
    assert caught.value.locations == calls[2]
    assert "rows.jsonl:" in str(caught.value)
    assert "checkpoint-2 is intact" in str(caught.value)
    assert [path.name for path in list_checkpoints(Path(f"{config.out}-nan"))] == ["checkpoint-2"]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cosine", [0.5, 1.0, 0.5 * (1 + math.cos(math.pi / 8)), 0.5, 0.0]),
        ("linear", [0.5, 1.0, 0.875, 0.5, 0.0]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_learning_rate(config: TrainConfig, schedule: Any, expected: list[float]) -> None:
    changed = replace(config, schedule=schedule, warmup_ratio=0.2)
    assert [lr_factor(step, 10, changed) for step in (1, 2, 3, 6, 10)] == pytest.approx(expected)
