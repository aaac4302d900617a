"""The commands print results on stdout, as text or JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from infer.cli import UseFlashAttn, eval_command, infer_command
from tests.factories import make_chat_sample, make_chat_shards, make_media, make_tiny_model


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory, goldens: Path) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"), tokenizer_dir=goldens / "tokenizer_nobos")


def run(command: object, *arguments: object) -> str:
    app = typer.Typer()
    app.command()(command)  # type: ignore[type-var]
    result = CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_eval_prints_a_table_or_json(model_dir: Path, tmp_path: Path) -> None:
    sample = make_chat_sample(model_dir, 1, "<image>?", "red", images=[0], split="val")
    shards = make_chat_shards(tmp_path / "shards", model_dir, [sample], [make_media()])
    arguments = (shards, "--model", model_dir, "--out", tmp_path / "out", "--max-new-tokens", 2)
    assert "exact match, all" in run(eval_command, *arguments)
    assert json.loads(run(eval_command, *arguments, "--format", "json"))["num_samples"] == 1


def test_infer_prints_the_answer_or_json(model_dir: Path, goldens: Path) -> None:
    arguments = ("--model", model_dir, "--model-type", "internvl2-1b", "--query", "?", "--max-new-tokens", 2)
    arguments = (*arguments, "--image", goldens / "images" / "tiny_32.png")
    answer = json.loads(run(infer_command, *arguments, "--format", "json"))
    assert run(infer_command, *arguments).rstrip("\n") == answer["response"].rstrip("\n")


def test_flash_attention_has_three_answers() -> None:
    assert [choice.as_bool() for choice in UseFlashAttn] == [None, True, False]
