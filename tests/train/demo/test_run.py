"""The demo from end to end: a small one by default, the whole one with its promises when slow tests run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from dataprep.cli import app
from dataprep.errors import ConfigError
from dataprep.shards.verify import verify
from tests.train.demo.conftest import SMALL
from train.demo.rows import COLOUR, PICK, SHAPE
from train.demo.run import SUMMARY_NAME, DemoConfig, DemoResult, _train, commands, make_config, run_demo
from train.demo.scores import over_kinds
from train.demo.summary import summary_text
from train.errors import TrainError


def test_every_row_is_accounted_for(demo: DemoResult, demo_config: DemoConfig) -> None:
    first, second = (manifest.ledger for manifest in demo.manifests)
    # A question that was drawn twice for one picture is asked once.
    assert SMALL.num_first_scenes < first.rows_in == first.converted <= SMALL.num_first_scenes * SMALL.rows_per_scene
    assert second.rejected == len(demo.dataset.planted)
    assert first.rows_in + second.rows_in == demo.dataset.num_rows
    assert sorted(second.by_code) == sorted(demo.dataset.planted.values())
    for name in ("shards-first", "shards"):
        assert verify(demo_config.out / name).ok


def test_both_trainings_ran_and_the_second_went_on_from_the_first(demo: DemoResult, demo_config: DemoConfig) -> None:
    assert [training["step"] for training in demo.trainings] == [3, 7]
    settings = json.loads((demo_config.out / "run" / "train_config.json").read_text(encoding="utf-8"))
    assert settings["config"]["model"] == str(demo_config.out / "run-first")


def test_the_summary_file_holds_all_scores(demo: DemoResult, demo_config: DemoConfig) -> None:
    summary = json.loads((demo_config.out / SUMMARY_NAME).read_text(encoding="utf-8"))
    assert set(summary["scores"]) == {"untrained", "constant", "trained"}
    assert set(summary["seconds"]) == {"draw", "lint", "convert", "train", "evaluate"}
    assert summary["found"] == summary["planted"]


def test_the_commands_are_ones_that_the_command_line_takes(demo_config: DemoConfig) -> None:
    import typer
    from typer.main import get_command

    from infer.cli import eval_command
    from train.cli import train_command

    known = typer.Typer()
    for command in (*(entry.callback for entry in app.registered_commands), train_command, eval_command):
        known.command(command.__name__.removesuffix("_command"))(command)
    group = get_command(known)
    for station, lines in commands(demo_config).items():
        for line in lines:
            program, name, *arguments = shlex.split(line)
            assert (program, name) == ("dataprep", station)
            group.commands[name].make_context(name, arguments)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="holds something else"):
        run_demo(DemoConfig(out=tmp_path, data=SMALL), say=lambda text: None)
    with pytest.raises(ConfigError, match="is a file"):
        run_demo(DemoConfig(out=tmp_path / "precious.txt", data=SMALL), say=lambda text: None)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_an_earlier_demo_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object) -> None:
        raise TrainError("far enough")

    monkeypatch.setattr("train.demo.run.write_dataset", stop)
    for _ in range(2):
        with pytest.raises(TrainError, match="far enough"):
            run_demo(DemoConfig(out=tmp_path / "demo", data=SMALL), say=lambda text: None)
        (tmp_path / "demo" / "old").touch()
    with pytest.raises(TrainError, match="far enough"):
        run_demo(DemoConfig(out=tmp_path / "demo", data=SMALL), say=lambda text: None)
    assert not (tmp_path / "demo" / "old").exists()


def test_lint_that_finds_something_else_ends_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.demo.dataset.DEFECTS", ())
    monkeypatch.setattr("train.demo.dataset.text_rows", lambda: [{"query": "no answer"}])
    with pytest.raises(TrainError, match=r"reported .*S101"):
        run_demo(DemoConfig(out=tmp_path / "demo", data=SMALL), say=lambda text: None)


def test_a_stopped_training_ends_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = {"status": "stopped", "step": 5, "total_steps": 600}
    monkeypatch.setattr("train.loop.train", lambda config: stopped)
    with pytest.raises(TrainError, match="stopped at step 5 of 600"):
        _train(DemoConfig(out=tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_demo_keeps_its_promises(tmp_path: Path) -> None:
    result = run_demo(make_config(tmp_path / "demo", steps=None, seed=0, is_quick=False), say=lambda text: None)
    # How long it took depends on the machine and on what else runs there: `pytest -s` shows it, nothing rests on it.
    print(summary_text(result))
    # Every held-out question about colour or shape counts, those about one of several shapes included.
    for kinds in ((COLOUR,), (SHAPE, PICK)):
        assert over_kinds(result.trained, kinds, result.dataset.val_kinds) >= 0.9
        assert over_kinds(result.untrained, kinds, result.dataset.val_kinds) <= 0.05
    assert result.trained.mean_iou >= result.constant.mean_iou + 0.3
    assert result.trained.precision_50 >= result.constant.precision_50 + 0.3
