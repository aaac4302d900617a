"""The model folder: a lossless tokenizer with fixed ids, and weights that load and start as intended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from dataprep.tokenization import TileSettings, load_tokenizer, read_tile_settings
from infer.inputs import normalise_tiles
from infer.model import load_model
from train.demo.model import CONTEXT, PATCH_PX, SPECIAL_TOKENS, TILE_PX, train_tokenizer, write_model
from train.demo.rows import vocabulary
from train.demo.scenes import GROUNDS, draw, make_scene

SCENES = [make_scene(0, f"model/{number}") for number in range(40)]
TOKENIZER = train_tokenizer(vocabulary(SCENES))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_survives_a_round_trip(text: str) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False).ids
    assert TOKENIZER.decode(ids, skip_special_tokens=False) == text


def test_ids_do_not_depend_on_the_order_of_the_texts() -> None:
    again = train_tokenizer(reversed(vocabulary(SCENES)))
    assert again.to_str() == TOKENIZER.to_str()


def test_digits_are_spelled_one_by_one() -> None:
    tokens = TOKENIZER.encode("<box> [[124, 374, 999, 7]] </box>", add_special_tokens=False).tokens
    assert [token for token in tokens if any(c.isdigit() for c in token)] == list("1243749997")


def test_special_tokens_come_first_and_stay_whole() -> None:
    assert [TOKENIZER.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    assert TOKENIZER.encode("a<box>b", add_special_tokens=False).tokens[1] == "<box>"


def test_the_folder_is_what_conversion_and_training_expect(demo_model: Path) -> None:
    tokenizer = load_tokenizer(demo_model)
    settings = read_tile_settings(demo_model, default=TileSettings(448, 256))
    assert settings == TileSettings(TILE_PX, (TILE_PX // PATCH_PX // 2) ** 2)
    model = load_model(demo_model)
    assert model.config.image_token_id == tokenizer.context_id == TOKENIZER.token_to_id(CONTEXT)
    assert model.config.text_config.vocab_size >= tokenizer.vocab_size
    assert tokenizer.bos_id is None


def test_weights_are_a_function_of_the_seed(demo_model: Path, tmp_path: Path) -> None:
    pictures = [draw(scene) for scene in SCENES]
    for name, seed in (("same", 0), ("other", 1)):
        write_model(tmp_path / name, vocabulary(SCENES), pictures, seed=seed)
    first, same, other = (
        load_file(folder / "model.safetensors") for folder in (demo_model, tmp_path / "same", tmp_path / "other")
    )
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("ground", GROUNDS)
def test_an_empty_patch_starts_near_zero_and_others_do_not(demo_model: Path, ground: tuple[int, int, int]) -> None:
    patches = load_model(demo_model).model.vision_tower.embeddings.patch_embeddings
    empty = np.broadcast_to(np.array(ground, dtype=np.uint8), (1, TILE_PX, TILE_PX, 3))
    full = np.broadcast_to(np.array((214, 48, 49), dtype=np.uint8), (1, TILE_PX, TILE_PX, 3))
    sizes = [
        patches(normalise_tiles(torch.from_numpy(tile.copy()), torch.float32)).abs().mean().item()
        for tile in (empty, full)
    ]
    assert sizes[0] < 0.2 * sizes[1]
