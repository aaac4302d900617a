"""The command's options are the fields of the configuration, and its summary says what to do next."""

from __future__ import annotations

import dataclasses
import inspect
import json
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

import typer
from typer.testing import CliRunner

from train.cli import train_command
from train.config import TrainConfig


def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(train_command)
    return made


def test_options_and_defaults_are_those_of_the_configuration() -> None:
    options = {name: parameter.default for name, parameter in inspect.signature(train_command).parameters.items()}
    del options["output_format"]
    fields = {field.name: field.default for field in dataclasses.fields(TrainConfig)}
    assert list(options) == list(fields)
    for name, default in options.items():
        plain = default.value if isinstance(default, StrEnum) else default
        expected = {"use_flash_attn": "auto", "lora_target_modules": "DEFAULT"}.get(name, fields[name])
        assert plain == expected or (plain is inspect.Parameter.empty and expected is dataclasses.MISSING), name


def test_a_run_from_the_command_line(config: TrainConfig, tmp_path: Path) -> None:
    arguments = [*config.shards, "--model", config.model, "--out", str(tmp_path / "run"), "--max-steps", "1"]
    arguments += ["--sft-type", "lora", "--lora-target-modules", "q_proj,linear_1", "--device", "cpu", "--no-packing"]
    result = CliRunner().invoke(app(), [*arguments, "--format", "json"], catch_exceptions=False)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["status"] == "finished"
    saved = json.loads((tmp_path / "run" / "train_config.json").read_text())["config"]
    assert saved["lora_target_modules"] == ["q_proj", "linear_1"]
    assert saved["packing"] is False
    result = CliRunner().invoke(app(), [*arguments, "--resume", "auto"], catch_exceptions=False)
    assert "finished at step 1 of 1" in result.stdout
    assert "next: dataprep eval" in result.stdout


def test_the_command_loads_no_torch_before_it_runs() -> None:
    code = "import sys, train.cli, infer.cli; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
