"""Ids equal those of the model library, and folders that cannot give them are refused in a sentence."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataprep.errors import ConfigError
from dataprep.templates import IGNORE_INDEX, TEMPLATES, Slot, Text
from dataprep.tokenization import (
    TextTokenizer,
    TileSettings,
    assemble,
    load_tokenizer,
    read_tile_settings,
    segment_texts,
)

FOLDERS = ["tokenizer_bos", "tokenizer_nobos"]
PROBES = [
    "", " ", "\n", "hello world", " hello", "hello ", "a\n\nb", "\tx", "你是由上海人工智能实验室",
    "é e\u0301 ﬁ", "🐈‍⬛👍🏽",
    "<|im_start|>user\nQ<|im_end|><|im_start|>assistant\n", "x<|im_end|>y", "<img><IMG_CONTEXT></img>\n text",
    "<ref>a cat</ref><box> [[1, 2, 3, 4]] </box>", "<s>bos</s>", "<|system|>\n", "</img>\n\nQ", "  two  spaces",
    "0123456789 1.5e-3", "don't", "<|im_start", "IMG_CONTEXT>", "\u200b\ufeff\x00", "ａＢＣ", "a" * 500,
]  # fmt: skip
TILE_CONFIG = {"force_image_size": 448, "downsample_ratio": 0.5, "vision_config": {"patch_size": 14}}
DEFAULT = TileSettings(448, 256)


@pytest.fixture(scope="module", params=FOLDERS)
def folder(goldens: Path, request: pytest.FixtureRequest) -> Path:
    return goldens / request.param


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> TextTokenizer:
    return load_tokenizer(folder)


@pytest.fixture
def copy(goldens: Path, tmp_path: Path) -> Path:
    target = tmp_path / "model"
    shutil.copytree(goldens / "tokenizer_bos", target)
    return target


def change(path: Path, **changes: Any) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | changes), encoding="utf-8")


def test_ids_equal_those_of_transformers(tokenizer: TextTokenizer, folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    for text, ids in zip(PROBES, tokenizer.encode_many(PROBES), strict=True):
        assert ids.tolist() == tokenizer.encode(text) == theirs.encode(text, add_special_tokens=False), text
        assert ids.dtype == np.int32
        assert tokenizer.decode(ids.tolist()) == theirs.decode(ids.tolist())
    adds_bos = theirs.bos_token_id in theirs.encode("")
    assert tokenizer.bos_id == (theirs.bos_token_id if adds_bos else None)
    assert tokenizer.pad_id == theirs.pad_token_id
    assert tokenizer.context_id == theirs.convert_tokens_to_ids("<IMG_CONTEXT>")
    assert tokenizer.vocab_size == len(theirs)


def test_the_two_fixtures_differ_in_bos(goldens: Path) -> None:
    assert [load_tokenizer(goldens / name).bos_id for name in FOLDERS] == [1, None]


def test_repeated_texts_are_remembered_and_stay_right(
    tokenizer: TextTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataprep.engines._MEMO_ENTRIES", 3)
    texts = ["a b", "c", "a b", "d", "e", "a b"]
    for _ in range(2):
        assert [ids.tolist() for ids in tokenizer.encode_many(texts)] == [tokenizer.encode(text) for text in texts]
    assert tokenizer.encode_many([]) == []


def test_bos_may_be_forced_or_forbidden_by_the_configuration(copy: Path, goldens: Path, tmp_path: Path) -> None:
    change(copy / "tokenizer_config.json", add_bos_token=False)
    assert load_tokenizer(copy).bos_id is None
    other = tmp_path / "other"
    shutil.copytree(goldens / "tokenizer_nobos", other)
    change(other / "tokenizer_config.json", add_bos_token=True, bos_token={"content": "<s>"})
    assert load_tokenizer(other).bos_id == load_tokenizer(goldens / "tokenizer_bos").bos_id == 1


def test_padding_is_the_end_token_where_none_is_named(copy: Path) -> None:
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        change(copy / name, pad_token=None, eos_token="<|im_end|>")
    assert load_tokenizer(copy).pad_id == 4
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        change(copy / name, eos_token=None)
    assert load_tokenizer(copy).pad_id == 0


def test_truncation_and_padding_stored_in_the_file_are_off(copy: Path) -> None:
    path = copy / "tokenizer.json"
    truncation = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    change(path, truncation=truncation)
    assert len(load_tokenizer(copy).encode("one two three four")) > 2


def test_tokens_that_only_the_configuration_lists_are_added(copy: Path) -> None:
    before = load_tokenizer(copy)
    config = json.loads((copy / "tokenizer_config.json").read_text(encoding="utf-8"))
    extra = {"content": "<|extra|>", "special": True}
    change(
        copy / "tokenizer_config.json", added_tokens_decoder=config["added_tokens_decoder"] | {before.vocab_size: extra}
    )
    after = load_tokenizer(copy)
    assert after.encode("a<|extra|>b")[1:-1] == [before.vocab_size]
    assert after.fingerprint != before.fingerprint
    assert "<|extra|>" in after.control_tokens


def test_an_added_token_at_an_impossible_id_is_refused(copy: Path) -> None:
    change(copy / "tokenizer_config.json", added_tokens_decoder={"99999": {"content": "<|extra|>"}})
    with pytest.raises(ConfigError, match=r"gives '<\|extra\|>' the id 99999.*not of one model"):
        load_tokenizer(copy)


def test_control_tokens_leave_out_what_rows_may_spell(tokenizer: TextTokenizer) -> None:
    tokens = tokenizer.control_tokens
    assert {"<|im_start|>", "<|im_end|>", "</s>", "<img>", "<IMG_CONTEXT>"} <= set(tokens)
    assert not {"<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>"} & set(tokens)
    assert [len(token) for token in tokens] == sorted((len(token) for token in tokens), reverse=True)


def test_the_fingerprint_depends_on_what_decides_about_ids_only(copy: Path, goldens: Path) -> None:
    original = load_tokenizer(goldens / "tokenizer_bos").fingerprint
    change(copy / "tokenizer_config.json", model_max_length=5)
    assert load_tokenizer(copy).fingerprint == original
    change(copy / "tokenizer_config.json", add_bos_token=False)
    assert load_tokenizer(copy).fingerprint != original


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no model folder .*gone; give --model the folder that holds the model's tokenizer"
    ):
        load_tokenizer(tmp_path / "gone")


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_without_the_image_tokens(copy: Path) -> None:
    text = (copy / "tokenizer.json").read_text(encoding="utf-8").replace("<IMG_CONTEXT>", "<other>")
    (copy / "tokenizer.json").write_text(text, encoding="utf-8")
    change(copy / "tokenizer_config.json", added_tokens_decoder={}, additional_special_tokens=[])
    with pytest.raises(ConfigError, match="lacks <IMG_CONTEXT>; it is not the one of an InternVL model"):
        load_tokenizer(copy)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b"[]"])
def test_broken_files_are_named(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(ConfigError, match=rf"{name} (cannot be read|is not a).*copy the model folder again"):
        load_tokenizer(copy)


@pytest.mark.parametrize(
    "changes",
    [
        {"added_tokens_decoder": {"x": {"content": "a"}}},
        {"added_tokens_decoder": {"5": {}}},
        {"added_tokens_decoder": [1]},
        {"bos_token": 5},
        {"pad_token": ["x"]},
    ],
)
def test_a_tokenizer_configuration_of_the_wrong_shape_is_named(copy: Path, changes: dict[str, Any]) -> None:
    change(copy / "tokenizer_config.json", **changes)
    with pytest.raises(ConfigError, match=r"tokenizer_config.json is not the configuration of a tokenizer"):
        load_tokenizer(copy)


def test_tile_settings_of_the_checkpoints(fixtures: Path) -> None:
    configs = sorted((fixtures / "checkpoints").glob("*/config.json"))
    assert len(configs) == 8
    assert {read_tile_settings(path.parent, default=DEFAULT) for path in configs} == {TileSettings(56, 4)}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (TILE_CONFIG, TileSettings(448, 256)),
        ({"vision_config": {"image_size": [448, 448], "patch_size": [14, 14]}}, TileSettings(448, 256)),
        ({"vision_config": {"image_size": 224, "patch_size": 14}, "downsample_ratio": 0.5}, TileSettings(224, 64)),
        ({"vision_config": {"image_size": 448, "patch_size": 14}, "force_image_size": 224}, TileSettings(224, 64)),
        ({"vision_config": {"image_size": 56, "patch_size": 14}, "downsample_ratio": 1}, TileSettings(56, 16)),
        ({"model_type": "qwen2"}, DEFAULT),
        ({"vision_config": None, "force_image_size": 448}, DEFAULT),
        (None, DEFAULT),
    ],
)
def test_tile_settings(tmp_path: Path, config: dict[str, Any] | None, expected: TileSettings) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert read_tile_settings(tmp_path, default=DEFAULT) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"force_image_size": 450},
        {"downsample_ratio": 0.3},
        {"downsample_ratio": 0.01},
        {"downsample_ratio": math.nan},
        {"force_image_size": "x"},
        {"force_image_size": -448, "vision_config": {"patch_size": -14}},
    ],
)
def test_tiles_that_give_no_whole_number_of_tokens(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(TILE_CONFIG | changes), encoding="utf-8")
    with pytest.raises(ConfigError, match="no whole number"):
        read_tile_settings(tmp_path, default=DEFAULT)


def test_a_broken_model_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.json cannot be read"):
        read_tile_settings(tmp_path, default=DEFAULT)


def test_assembly_puts_labels_on_answers_and_their_ends(tokenizer: TextTokenizer) -> None:
    parts = [
        Text("<|im_start|>user\n<img>"), Slot(0), Text("</img>\nQ<|im_end|><|im_start|>assistant\n"), Text("A1", True),
        Text("<|im_end|><|im_start|>user\nQ2<|im_end|><|im_start|>assistant\n"), Text("A2<|im_end|>", True),
    ]  # fmt: skip
    segments = tokenizer.encode_many(segment_texts(parts))
    ids, labels = assemble(parts, segments, tokenizer=tokenizer, template=TEMPLATES["internvl2"], slot_tokens=[5])
    text = [encoded.tolist() for encoded in segments]
    bos = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    assert ids.tolist() == [*bos, *text[0], *[tokenizer.context_id] * 5, *text[1], *text[2], *text[3], *text[4]]
    assert ids.dtype == labels.dtype == np.int32
    end = tokenizer.encode("<|im_end|>")
    trained = [*text[2], *end, *text[4]]
    assert labels[labels != IGNORE_INDEX].tolist() == trained
    assert (labels[labels != IGNORE_INDEX] == ids[labels != IGNORE_INDEX]).all()
    assert labels[: len(bos) + len(text[0]) + 5 + len(text[1])].tolist() == [IGNORE_INDEX] * (
        len(bos) + len(text[0]) + 5 + len(text[1])
    )


def test_a_tokenizer_in_use_is_not_loaded_again(copy: Path) -> None:
    first = load_tokenizer(copy)
    assert load_tokenizer(copy) is first
    config = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps(config | {"note": 1}))
    assert load_tokenizer(copy) is not first
