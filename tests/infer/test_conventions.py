"""A run folder's record is found by the name that training writes; reading it is tested with single questions."""

from __future__ import annotations

from infer.conventions import CONVENTIONS, RUN_CONFIG_NAME


def test_names() -> None:
    assert RUN_CONFIG_NAME == "train_config.json"
    assert "model_type" in CONVENTIONS
