"""Ids of texts cut at special tokens and into words are those of the tokenizer itself, on any text."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from dataprep.pieces import PROBES, make_piece_encoder, special_tokens_of
from dataprep.words import KNOWN, splitter_of

GOLDENS = Path(__file__).resolve().parent.parent / "fixtures" / "goldens"
SPECIAL = ("<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<ref>", "<|im_start|><|im_end|>")
CORPUS = [
    *PROBES,
    "the cat's mat 'll 123 4567",
    "Straße naïve 你是由上海 don't DON'T we'Re",
    "  x\n\n  y\r\n z \t ",
] * 3


def train(pattern: str | None, *, is_normalized: bool = False) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    if is_normalized:
        tokenizer.normalizer = normalizers.NFC()
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    split = None if pattern is None else pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    tokenizer.pre_tokenizer = as_bytes if split is None else pre_tokenizers.Sequence([split, as_bytes])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    return tokenizer


def golden(name: str) -> Tokenizer:
    return Tokenizer.from_file(str(GOLDENS / name / "tokenizer.json"))


TOKENIZERS = {
    "bos": golden("tokenizer_bos"),
    "nobos": golden("tokenizer_nobos"),
    "bytes": train(None),
    **{f"pattern {number}": train(pattern) for number, pattern in enumerate(KNOWN)},
    "normalised": train(KNOWN[1], is_normalized=True),
    "unknown": train(r"\w+|\W"),
}
ENCODERS = {name: make_piece_encoder(tokenizer) for name, tokenizer in TOKENIZERS.items()}
snippets = st.sampled_from(
    [*SPECIAL, *PROBES, "'s", "'LL", "'ſ", " 1234", "\r\n", "\n ", "  ", "\x1c", "\x85", "\u180e"]
)
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ascii_text = st.text(st.characters(max_codepoint=127), max_size=20)
texts = st.lists(st.one_of(snippets, any_text, ascii_text, st.text(" \n\r\t'sSa1.", max_size=12)), max_size=8).map(
    "".join
)


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=150, deadline=None)
@given(batch=st.lists(texts, max_size=4))
def test_ids_are_those_of_the_tokenizer(name: str, batch: list[str]) -> None:
    encoder = ENCODERS[name]
    assert encoder is not None
    expected = [encoding.ids for encoding in TOKENIZERS[name].encode_batch(batch, add_special_tokens=False)]
    assert [ids.tolist() for ids in encoder.encode_many(batch)] == expected
    assert [ids.tolist() for ids in encoder.encode_many(batch[::-1])] == expected[::-1]


@pytest.mark.parametrize("pattern", KNOWN)
def test_every_character_is_told_apart_as_the_tokenizer_does(pattern: str) -> None:
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    parts = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
    ]}  # fmt: skip
    ours = splitter_of(parts)
    assert ours is not None
    checked = 0
    for start in range(0, 0x10000, 64):
        chars = [chr(code) for code in range(start, start + 64) if unicodedata.category(chr(code)) != "Cs"]
        chars = [char for char in chars if ours(char) is not None]
        text = "".join(f"a{char}1{char} {char}." for char in chars)
        checked += len(chars)
        assert not text or ours(text) == [word for word, _ in split.pre_tokenize_str(text)]
    assert checked > 40_000


def test_what_takes_white_space_along_is_not_cut() -> None:
    tokenizer = train(None)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    assert special_tokens_of(tokenizer) is None
    assert make_piece_encoder(tokenizer) is None
    assert special_tokens_of(Tokenizer(models.BPE())) is None


def test_long_and_many_pieces_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.pieces._MOST_REMEMBERED", 30)
    monkeypatch.setattr("dataprep.pieces._LONGEST_REMEMBERED", 50)
    monkeypatch.setattr("dataprep.pieces._MOST_WORDS", 20)
    encoder = make_piece_encoder(TOKENIZERS["bytes"])
    assert encoder is not None
    for number in range(100):
        text = f"<img>number {number} is {'long ' * number}"
        assert encoder.encode_many([text])[0].tolist() == TOKENIZERS["bytes"].encode(text).ids
    assert len(encoder._known) < 60
    assert max(map(len, encoder._known)) <= 50


def test_a_disagreement_is_said_and_the_ids_stay_right(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dataprep.pieces.splitter_of", lambda steps: list)  # every character for a word
    tokenizer = TOKENIZERS["bytes"]
    encoder = make_piece_encoder(tokenizer)
    assert encoder is not None
    assert "texts split into words get other ids from this tokenizer" in caplog.text
    (ids,) = encoder.encode_many(["the cat's mat"])
    assert list(ids) == tokenizer.encode("the cat's mat", add_special_tokens=False).ids
