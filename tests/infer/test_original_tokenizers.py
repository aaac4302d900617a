"""A folder in the original layout, with its original tokenizer, answers a question and goes through lint and convert."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dataprep.tokenization import load_tokenizer
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
