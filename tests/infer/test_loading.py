"""One call loads model, tokenizer and template, from either layout and with the conventions of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from infer import load
from infer.errors import ModelError
from infer.loading import load_encoder
from infer.model import ModelOptions
from tests.infer.test_original_tokenizers import folder, model_type

__all__ = ["folder", "model_type"]

CPU = ModelOptions(device="cpu", dtype="float32")


def test_model_tokenizer_and_template_belong_together(folder: Path, model_type: str) -> None:
    loaded = load(folder, model_type, options=CPU)
    assert loaded.model.config.image_token_id == loaded.tokenizer.context_id
    assert loaded.encoder.settings.model_type.name == model_type
    assert loaded.template is loaded.encoder.settings.template
    assert not loaded.model.training


def test_a_folder_that_does_not_say_its_type_is_one_sentence(folder: Path) -> None:
    with pytest.raises(ModelError, match="does not say which model type it is; give --model-type"):
        load(folder, options=CPU)


def test_conventions_of_a_run_go_into_the_encoder(folder: Path, model_type: str) -> None:
    encoder = load_encoder(folder, None, run={"model_type": model_type, "max_num": 3, "system": "s"})
    assert encoder.settings.model_type.name == model_type
    assert encoder.settings.max_num == 3
