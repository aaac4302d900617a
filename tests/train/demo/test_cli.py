"""The command: options to settings, summary and path to standard output."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from train.demo.cli import demo_command
from train.demo.run import DemoConfig, DemoResult


@pytest.fixture
def app() -> typer.Typer:
    """The command on its own."""
    app = typer.Typer()
    app.command()(demo_command)
    return app


def test_idle_threads_sleep_before_torch_is_loaded(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("train.demo.cli.let_idle_threads_sleep", lambda: asked.append("sleep"))
    monkeypatch.setattr("train.demo.run.make_config", lambda *args, **kwargs: asked.append("run") or 1 / 0)
    CliRunner().invoke(app, ["--quick"])
    assert asked == ["sleep", "run"]


@pytest.mark.parametrize(
    ("options", "first_steps", "steps"), [([], 500, 1400), (["--steps", "9"], 500, 9), (["--quick"], 2, 8)]
)
def test_options_become_settings(
    app: typer.Typer,
    demo: DemoResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    first_steps: int,
    steps: int,
) -> None:
    seen: list[DemoConfig] = []

    def pretend(config: DemoConfig, *, say: object) -> DemoResult:
        seen.append(config)
        return demo

    monkeypatch.setattr("train.demo.run.run_demo", pretend)
    outcome = CliRunner().invoke(app, ["--out", str(tmp_path / "demo"), "--seed", "5", *options])
    assert outcome.exit_code == 0
    assert (seen[0].first_steps, seen[0].steps, seen[0].data.seed) == (first_steps, steps, 5)
    assert "planted defects" in outcome.output
    assert outcome.output.splitlines()[-1].startswith("page: ")
