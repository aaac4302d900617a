"""Folders with a sentencepiece model: what is missing, broken or beside it is said or used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from dataprep.errors import ConfigError
from dataprep.fingerprints import describe_tokenizer
from dataprep.sentencepiece_model import SPACE
from dataprep.tokenization import load_tokenizer
from tests.dataprep.test_sentencepieces import FIXTURES, NAMES, TEXTS, change, copy, read_rows

__all__ = ["copy"]


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        (
            ("added_tokens.json", "tokenizer_config.json", "special_tokens_map.json"),
            r"names the tokenizer class 'None'.*InternLM2Tokenizer and LlamaTokenizer; copy the tokenizer files",
        ),
        (
            ("added_tokens.json",),
            r"lacks <img>, </img>, <IMG_CONTEXT>; it is not the one of an InternVL model: tokenizer\.model holds the "
            r"tokens of the language model only, and tokenizer_config\.json add.* none of these; copy the tokenizer",
        ),
    ],
)
def test_missing_image_tokens_are_an_error_with_the_cause(copy: Path, removed: tuple[str, ...], message: str) -> None:
    change(copy / "tokenizer_config.json", added_tokens_decoder={}, additional_special_tokens=[])
    change(copy / "special_tokens_map.json", additional_special_tokens=[])
    for name in removed:
        (copy / name).unlink()
    with pytest.raises(ConfigError, match=message):
        load_tokenizer(copy)


def test_old_folders_list_added_tokens_in_their_own_file(copy: Path) -> None:
    config = json.loads((copy / "tokenizer_config.json").read_text())
    for key in ("added_tokens_decoder", "additional_special_tokens"):
        del config[key]
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = load_tokenizer(copy)
    for row in read_rows("internlm2-sp-noprefix"):
        assert tokenizer.encode(row["text"]) == row["ids"]
        assert tokenizer.decode(row["ids"]) == row["decoded"]


@pytest.mark.parametrize("content", [b"", b"no model", b"\xff" * 40])
def test_a_broken_model_is_named(copy: Path, content: bytes) -> None:
    (copy / "tokenizer.model").write_bytes(content)
    with pytest.raises(ConfigError, match=r"tokenizer\.model is no sentencepiece model.*copy the model folder again"):
        load_tokenizer(copy)


def test_an_unknown_class_is_refused(copy: Path) -> None:
    change(copy / "tokenizer_config.json", tokenizer_class="T5Tokenizer")
    with pytest.raises(ConfigError, match=r"names the tokenizer class 'T5Tokenizer', known for tokenizer\.model are"):
        load_tokenizer(copy)


def test_the_fingerprint_tells_what_differs(copy: Path) -> None:
    prints = {load_tokenizer(copy).fingerprint, load_tokenizer(FIXTURES / NAMES[0]).fingerprint}
    assert len(prints) == 1
    change(copy / "tokenizer_config.json", add_bos_token=False)
    prints.add(load_tokenizer(copy).fingerprint)
    shutil.copy(FIXTURES / NAMES[1] / "tokenizer.model", copy)
    prints.add(load_tokenizer(copy).fingerprint)
    assert len(prints) == 3


def convert(folder: Path) -> Tokenizer:
    """Return the usual conversion of a model that adds no prefix."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    ids = range(processor.get_piece_size())
    vocabulary = {processor.id_to_piece(i): i for i in ids}
    found = []
    for piece, i in vocabulary.items():
        halves = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        found += [(-processor.get_score(i), pair) for pair in halves if all(half in vocabulary for half in pair)]
    merges = [pair for _, pair in sorted(found, key=lambda entry: entry[0])]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    added = json.loads((folder / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    tokenizer.add_special_tokens([AddedToken(entry["content"], normalized=False) for entry in added.values()])
    return tokenizer


def test_a_fast_file_beside_the_model_is_taken_if_it_gives_the_same_ids(
    copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    original = load_tokenizer(copy)
    fast = convert(copy)
    fast.save(str(copy / "tokenizer.json"))
    tokenizer = load_tokenizer(copy)
    assert not caplog.text
    assert '"merges"' in tokenizer.to_json()
    assert [tokenizer.encode(text) for text in TEXTS] == [original.encode(text) for text in TEXTS]


def test_a_fast_file_beside_the_model_with_other_ids_is_not_taken(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    fast = convert(copy)
    fast.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    fast.save(str(copy / "tokenizer.json"))
    tokenizer = load_tokenizer(copy)
    assert "tokenizer.json gives other ids than the original tokenizer.model beside it" in caplog.text
    for row in read_rows("internlm2-sp-noprefix"):
        assert tokenizer.encode(row["text"]) == row["ids"]


def test_a_manifest_keeps_what_differs_between_two_models() -> None:
    left, right = (describe_tokenizer(load_tokenizer(FIXTURES / name), "x") for name in NAMES[:2])
    assert left.added_tokens == right.added_tokens
    assert left.added_tokens["<IMG_CONTEXT>"] == 1208
    assert (left.vocab_size, left.rest, left.merges) == (right.vocab_size, right.rest, right.merges)
    assert left.vocabulary != right.vocabulary
    llama = [describe_tokenizer(load_tokenizer(FIXTURES / name), "x") for name in NAMES[2:]]
    assert len({facts.rest for facts in [left, *llama]}) == 3
