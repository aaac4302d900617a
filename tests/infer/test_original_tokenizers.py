"""A folder in the original layout, with its original tokenizer, goes the whole road: lint, convert, eval and infer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from dataprep.cli import app
from dataprep.shards.reader import open_shards
from dataprep.tokenization import load_tokenizer
from infer.evaluate import EvalOptions, evaluate_shards
from infer.model import ModelOptions
from infer.single import InferOptions, Question, answer_question

CASES = {
    "internvl2-8b": ("internlm2-sp-noprefix", ("language_model.model.tok_embeddings", "language_model.output")),
    "internvl2-4b": ("phi3-llama-sp", ("language_model.model.embed_tokens", "language_model.lm_head")),
    "internvl2-40b": ("yi-llama-sp", ("language_model.model.embed_tokens", "language_model.lm_head")),
}
VOCABULARY = 1216


@pytest.fixture(params=CASES)
def model_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(fixtures: Path, tmp_path: Path, model_type: str) -> Path:
    """A tiny checkpoint with room for the tokens of a tokenizer fixture."""
    target = tmp_path / "model"
    shutil.copytree(fixtures / "checkpoints" / model_type, target)
    tokenizer, matrices = CASES[model_type]
    for path in (fixtures / "tokenizers" / tokenizer).glob("*"):
        if path.name != "expected.jsonl":
            shutil.copy(path, target)
    weights = load_file(target / "model.safetensors")
    for name in matrices:
        matrix = weights[f"{name}.weight"]
        larger = torch.randn(VOCABULARY, matrix.shape[1], generator=torch.Generator().manual_seed(1)) * 0.02
        weights[f"{name}.weight"] = larger.to(matrix.dtype)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((target / "config.json").read_text())
    config["llm_config"] |= {"vocab_size": VOCABULARY, "max_position_embeddings": 1024}
    (target / "config.json").write_text(json.dumps(config))
    return target


def test_a_question_is_answered(folder: Path, model_type: str, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / "a.png")
    question = Question(query="What  is this?", images=(tmp_path / "a.png",))
    options = InferOptions(
        model_dir=folder, model_type=model_type, max_new_tokens=6, model=ModelOptions(device="cpu", dtype="float32")
    )
    answer = answer_question(question, options)
    tokenizer = load_tokenizer(folder)
    assert answer["response"]
    assert len(tokenizer.encode(answer["response"])) > 0


def test_rows_are_linted_converted_and_answered(folder: Path, model_type: str, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / "a.png")
    response = "  A != b, 世界 <ref>the man</ref> !"
    row = {"query": "<image>What  is it?", "response": response, "images": ["a.png"]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    shared = [str(tmp_path / "rows.jsonl"), "--for", model_type, "--model", str(folder)]
    linted = CliRunner().invoke(app, ["lint", *shared, "--level", "4"], catch_exceptions=False)
    assert "0 errors" in linted.output
    made = CliRunner().invoke(app, ["convert", *shared, "--out", str(tmp_path / "shards")], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    shards, tokenizer = open_shards(tmp_path / "shards"), load_tokenizer(folder)
    sample = shards[0]
    trained = [int(i) for i in sample.labels if i >= 0]
    end = tokenizer.encode({"internvl2-4b": "<|end|>"}.get(model_type, "<|im_end|>"))
    assert trained == tokenizer.encode(response) + end
    assert tokenizer.plain_text(trained[:-1]) == response
    options = EvalOptions(
        split="train", out=tmp_path / "eval", max_new_tokens=3, model=ModelOptions(device="cpu", dtype="float32")
    )
    assert evaluate_shards(tmp_path / "shards", folder, options)["num_errors"] == 0
