"""Folders with vocab.json and merges.txt give the ids of Qwen2's own tokenizer; broken ones are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataprep.errors import ConfigError
from dataprep.model_files import tokenizer_names
from dataprep.pieces import PROBES
from dataprep.sentencepiece_words import MORE_PROBES
from dataprep.tokenization import load_tokenizer

ADDED = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<ref>", "</ref>")
TURNS = "<|im_start|>user\n<img><IMG_CONTEXT></img>\nQ'LL 12345<|im_end|><|im_start|>assistant\n"
TEXTS = [*PROBES, *MORE_PROBES, TURNS, "A\u030a <ref>\u00c5</ref> ", "<|im_end|>\n", "  <|im_end|>  x"]


@pytest.fixture
def folder(tmp_path: Path, goldens: Path) -> Path:
    """A folder as Qwen2 models have it, with the vocabulary of a golden tokenizer."""
    model = json.loads((goldens / "tokenizer_nobos" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    learnt = {token: i for token, i in model["vocab"].items() if token not in ADDED}
    learnt = {token: i for i, token in enumerate(sorted(learnt, key=learnt.__getitem__))}
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    first = len(learnt)
    listed = {str(first + i): {"content": token, "special": True} for i, token in enumerate(ADDED)}
    config = {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "eos_token": "<|im_end|>",
              "pad_token": "<|endoftext|>", "add_prefix_space": False, "added_tokens_decoder": listed}  # fmt: skip
    (tmp_path / "vocab.json").write_text(json.dumps(learnt), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    added = {token: first + i for i, token in enumerate(ADDED)}
    (tmp_path / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")
    return tmp_path


def change(path: Path, **changes: Any) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | changes), encoding="utf-8")


def test_ids_are_those_of_transformers(folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.Qwen2Tokenizer.from_pretrained(folder)
    ours = load_tokenizer(folder)
    assert ours.context_id == theirs.convert_tokens_to_ids("<IMG_CONTEXT>")
    for text, ids in zip(TEXTS, ours.encode_many(TEXTS), strict=True):
        assert ids.tolist() == ours.encode(text) == theirs.encode(text, add_special_tokens=False), text
        assert ours.decode(ids) == ours.plain_text(ids) == theirs.decode(ids.tolist())
    assert (ours.bos_id, ours.pad_id) == (None, theirs.pad_token_id)
    assert '"type":"BPE"' in ours.to_json()


def test_added_tokens_may_stand_in_their_own_file(folder: Path) -> None:
    expected = load_tokenizer(folder)
    change(folder / "tokenizer_config.json", added_tokens_decoder={})
    found = load_tokenizer(folder)
    assert found is not expected
    assert [found.encode(text) for text in TEXTS] == [expected.encode(text) for text in TEXTS]


def test_missing_image_tokens_are_an_error_with_the_cause(folder: Path) -> None:
    change(folder / "tokenizer_config.json", added_tokens_decoder={})
    (folder / "added_tokens.json").unlink()
    cause = (
        r"lacks <img>, </img>, <IMG_CONTEXT>; .*: vocab\.json holds the tokens of the language model only, and "
        r"tokenizer_config\.json add none of these; copy the tokenizer files"
    )
    with pytest.raises(ConfigError, match=cause):
        load_tokenizer(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.json", "{", r"vocab\.json and merges\.txt in .* make no tokenizer"),
        ("merges.txt", "#version: 0.2\nzz yy\n", r"vocab\.json and merges\.txt in .* make no tokenizer"),
        ("tokenizer_config.json", '{"tokenizer_class": "GPT2Tokenizer"}', r"the tokenizer class 'GPT2Tokenizer'"),
        ("added_tokens.json", "[]", r"added_tokens\.json is not a JSON object"),
    ],
)
def test_broken_files_are_named(folder: Path, name: str, content: str, message: str) -> None:
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_tokenizer(folder)


def test_an_id_that_is_not_free_is_refused(folder: Path) -> None:
    change(folder / "tokenizer_config.json", added_tokens_decoder={"99999": {"content": "<img>"}})
    with pytest.raises(ConfigError, match=r"gives '<img>' the id 99999, vocab\.json has room at"):
        load_tokenizer(folder)


def test_half_a_tokenizer_is_none(folder: Path) -> None:
    assert tokenizer_names(folder) == ("vocab.json", "merges.txt")
    (folder / "merges.txt").unlink()
    assert tokenizer_names(folder) == ()
    with pytest.raises(ConfigError, match=r"holds no tokenizer\.json, tokenizer\.model, or vocab\.json with merges"):
        load_tokenizer(folder)
