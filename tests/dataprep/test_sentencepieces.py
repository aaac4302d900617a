"""Original sentencepiece folders give the ids and the texts of their original slow code, on any text."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep import sentencepiece_words
from dataprep.added_tokens import TokenFiles
from dataprep.sentencepiece_model import SPACE, SentencePieceModel
from dataprep.sentencepiece_words import MORE_PROBES
from dataprep.sentencepieces import SentencePieceEngine
from dataprep.tokenization import load_tokenizer

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "tokenizers"
NAMES = ["internlm2-sp-noprefix", "internlm2-sp-prefix", "phi3-llama-sp", "yi-llama-sp"]
TEXTS = [*sentencepiece_words.PROBES, *MORE_PROBES]


def read_rows(name: str) -> list[dict[str, Any]]:
    lines = (FIXTURES / name / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "model"
    shutil.copytree(FIXTURES / "internlm2-sp-noprefix", target)
    return target


def change(path: Path, **changes: Any) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | changes), encoding="utf-8")


@pytest.mark.parametrize("is_fast", [True, False])
def test_ids_and_texts_are_those_of_the_original_code(
    name: str, is_fast: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(FIXTURES / name, tmp_path / str(is_fast))
    if not is_fast:
        monkeypatch.setattr(sentencepiece_words, "agrees", lambda encode_many, original: False)
    # A changed file: else a tokenizer that another test has in use would be taken.
    change(tmp_path / str(is_fast) / "tokenizer_config.json", note=is_fast)
    tokenizer = load_tokenizer(tmp_path / str(is_fast))
    assert ("the slower way is taken" in caplog.text) is not is_fast
    rows = read_rows(name)
    assert len(rows) == 89
    found = tokenizer.encode_many([row["text"] for row in rows])
    for row, ids in zip(rows, found, strict=True):
        assert tokenizer.encode(row["text"], add_special_tokens=False) == ids.tolist() == row["ids"]
        assert tokenizer.encode(row["text"], add_special_tokens=True) == row["ids_with_special"]
        assert tokenizer.decode(row["ids"]) == row["decoded"]
        assert tokenizer.plain_text(row["ids"]) == row["text"].replace(SPACE, " ")


def test_special_ids(name: str) -> None:
    tokenizer = load_tokenizer(FIXTURES / name)
    rows = read_rows(name)
    begins = {tuple(row["ids_with_special"][: len(row["ids_with_special"]) - len(row["ids"])]) for row in rows}
    assert begins == {() if tokenizer.bos_id is None else (tokenizer.bos_id,)}
    added = json.loads((FIXTURES / name / "added_tokens.json").read_text())
    assert tokenizer.context_id == added["<IMG_CONTEXT>"]
    assert tokenizer.pad_id == 2
    assert tokenizer.num_tokens == tokenizer.vocab_size == max(added.values()) + 1
    assert {"<img>", "</s>", "<IMG_CONTEXT>"} <= set(tokenizer.control_tokens)


def test_the_text_of_growing_ids_only_grows(name: str) -> None:
    tokenizer = load_tokenizer(FIXTURES / name)
    ids = tokenizer.encode("  a != b, naïve 世界!<ref>the cat </ref> <box> [[1, 2]] </box>")
    texts = [tokenizer.plain_text(ids[:end]).rstrip("\ufffd") for end in range(len(ids) + 1)]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert tokenizer.plain_text([*ids, 10**6, -1]) == tokenizer.plain_text(ids)


# The reference: no regular expression, no remembered word, and the only use of sentencepiece is a plain encode.


@cache
def model_content(name: str) -> bytes:
    return (FIXTURES / name / "tokenizer.model").read_bytes()


@cache
def processor_of(name: str) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model_content(name))


class Reference:
    def __init__(self, name: str, added: dict[str, dict[str, Any]]) -> None:
        config = json.loads((FIXTURES / name / "tokenizer_config.json").read_text())
        self.processor = processor_of(name)
        self.is_legacy = config.get("legacy") is not False
        self.added = added
        self.longest_first = sorted(added, key=len, reverse=True)

    def encode(self, text: str) -> list[int]:
        tokens = list(self.tokens(text if self.is_legacy or not text else SPACE + text.replace(SPACE, " ")))
        special = {text for text, entry in self.added.items() if entry["special"]}
        if not self.is_legacy and len(tokens) > 1 and tokens[0] == SPACE and tokens[1] in special:
            del tokens[0]
        return [self.added[t]["id"] if t in self.added else self.processor.piece_to_id(t) for t in tokens]

    def tokens(self, text: str) -> Iterator[str]:
        stretches = list(self.cut(text))
        for i, stretch in enumerate(stretches):
            if (entry := self.added.get(stretch)) is None:
                continue
            left, right = stretches[i - 1 : i] if i else [], stretches[i + 1 : i + 2]
            if entry["rstrip"] and right:
                stretches[i + 1] = right[0].lstrip()
            if entry["lstrip"] and left:
                stretches[i - 1] = left[0].rstrip()
            if entry["single_word"] and left and left[0] and left[0][-1] != " ":
                stretches[i - 1 : i + 1] = [stretches[i - 1] + stretch, ""]
            elif entry["single_word"] and right and right[0] and right[0][0] != " ":
                stretches[i : i + 2] = ["", stretch + stretches[i + 1]]
        for stretch in filter(None, stretches):
            yield from [stretch] if stretch in self.added else self.learnt(stretch)

    def learnt(self, stretch: str) -> list[str]:
        if self.is_legacy:
            return list(self.processor.encode(stretch, out_type=str))
        # Without a prefix: a line break is a byte of its own, and the prefix comes before it.
        return list(self.processor.encode("\n" + stretch, out_type=str))[2:]

    def cut(self, text: str) -> Iterator[str]:
        start = place = 0
        while place < len(text):
            token = next((token for token in self.longest_first if text.startswith(token, place)), None)
            if token is None:
                place += 1
                continue
            if place > start:
                yield text[start:place]
            yield token
            start = place = place + len(token)
        if start < len(text):
            yield text[start:]


flags = st.fixed_dictionaries({key: st.booleans() for key in ("lstrip", "rstrip", "single_word", "special")})
right_only = st.fixed_dictionaries({"rstrip": st.booleans(), "special": st.booleans()})
contents = st.one_of(
    st.sampled_from(["<img>", "<|end|>", "<|end", "d|>", "a", "ab", "\n", " ", "x y", SPACE, "</s>x", "世"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
)
token_sets = st.one_of(
    st.dictionaries(contents, flags, max_size=4),
    st.dictionaries(st.sampled_from(["<img>", "<|end|>", "<|end", "d|>", "a", "ab", "世"]), right_only, max_size=5),
)
SPECIAL = ("<unk>", "<s>", "</s>")
FLAGS = ("lstrip", "rstrip", "single_word", "special")


def draw_text(data: st.DataObject, tokens: list[str]) -> str:
    piece = st.one_of(
        st.sampled_from([*tokens, *SPECIAL, *TEXTS, " ", "  ", "\n", SPACE, "\u3000", "\x1c"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.text(" \n\tab.<|end>" + SPACE, max_size=12),
    )
    return "".join(data.draw(st.lists(piece, max_size=6)))


@settings(max_examples=50, deadline=None)
@given(name=st.sampled_from(NAMES), chosen=token_sets, data=st.data())
def test_random_texts_with_random_added_tokens(name: str, chosen: dict[str, dict[str, bool]], data: Any) -> None:
    added = {text: {"id": number, "special": True} for number, text in enumerate(SPECIAL)}
    first = data.draw(st.sampled_from([1200, 1000]))  # ids of pieces may be given to other tokens
    added |= {text: {"id": first + number, **entry} for number, (text, entry) in enumerate(chosen.items())}
    added = {text: dict.fromkeys(FLAGS, False) | entry for text, entry in added.items()}
    config = json.loads((FIXTURES / name / "tokenizer_config.json").read_text())
    config["added_tokens_decoder"] = {str(entry["id"]): {"content": text, **entry} for text, entry in added.items()}
    config["additional_special_tokens"] = [text for text, entry in added.items() if entry["special"]]
    reference = Reference(name, added)
    logging.disable(logging.WARNING)
    try:
        engine = SentencePieceEngine(model_content(name), TokenFiles(config, {}, {}))
    finally:
        logging.disable(logging.NOTSET)
    for _ in range(8):
        text = draw_text(data, list(chosen))
        assert engine.encode(text) == reference.encode(text)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_random_texts_with_the_models_own_added_tokens(name: str, data: Any) -> None:
    config = json.loads((FIXTURES / name / "tokenizer_config.json").read_text())
    added = {entry["content"]: {"id": int(i), **entry} for i, entry in config["added_tokens_decoder"].items()}
    tokenizer, reference = load_tokenizer(FIXTURES / name), Reference(name, added)
    texts = [draw_text(data, sorted(added)) for _ in range(4)]
    expected = [reference.encode(text) for text in texts]
    assert [ids.tolist() for ids in tokenizer.encode_many(texts)] == expected
    if not any(entry["rstrip"] for entry in added.values()) and tokenizer.bos_id is not None:
        assert [tokenizer.plain_text(ids) for ids in expected] == [text.replace(SPACE, " ") for text in texts]


# Models of other kinds, trained here.


@cache
def train(kind: str) -> bytes:
    options = KINDS[kind][0]
    buffer = BytesIO()
    defaults = {
        "model_type": "bpe", "vocab_size": 500, "byte_fallback": True, "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True, "minloglevel": 3, "num_threads": 1,
    }  # fmt: skip
    corpus = [text for text in TEXTS if "\x00" not in text] * 3 + [f"a    b{' ' * n}c        d" for n in range(9)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=buffer, **(defaults | options)
    )
    return buffer.getvalue()


KINDS = {
    "spaces": ({}, True),
    "user defined": ({"user_defined_symbols": ["<mask>", "ab", f"{SPACE}{SPACE}z"]}, True),
    "line breaks before spaces": (
        {"user_defined_symbols": ["\n" + SPACE * n for n in (1, 2, 4)] + [f"]{SPACE}z"]},
        True,
    ),
    "across spaces": ({"split_by_whitespace": False}, False),
    "user defined across spaces": ({"user_defined_symbols": [f"a{SPACE}b"]}, False),
    "unigram": ({"model_type": "unigram", "hard_vocab_limit": False}, False),
    "normalised": ({"normalization_rule_name": "nfkc"}, False),
    "spaces removed": ({"remove_extra_whitespaces": True}, False),
    "space behind": ({"treat_whitespace_as_suffix": True}, False),
    "no bytes": ({"byte_fallback": False, "hard_vocab_limit": False}, False),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_models_of_other_kinds_are_right_and_cut_only_where_that_is_exact(kind: str, data: Any) -> None:
    content, is_cut = train(kind), KINDS[kind][1]
    assert SentencePieceModel(content).is_cut_at_spaces is is_cut
    engine = engine_of(kind)
    processor = sentencepiece.SentencePieceProcessor(model_proto=content)
    for _ in range(4):
        text = draw_text(data, ["a b", "  z", "<mask>", "   ", "\n  x", "] z", "]\n"])
        text = text.replace("<s>", "").replace("</s>", "").replace("<unk>", "")
        if not any(token in text for token in SPECIAL):
            assert engine.encode(text) == processor.encode(text)


@cache
def engine_of(kind: str) -> SentencePieceEngine:
    return SentencePieceEngine(train(kind), TokenFiles({"tokenizer_class": "InternLM2Tokenizer"}, {}, {}))


def test_a_fast_way_with_other_ids_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(SentencePieceModel, "is_cut_at_spaces", True)
    monkeypatch.setattr(SentencePieceModel, "before_spaces", frozenset())
    content = train("across spaces")
    engine = SentencePieceEngine(content, TokenFiles({"tokenizer_class": "InternLM2Tokenizer"}, {}, {}))
    assert "texts cut before their spaces get other ids from this tokenizer; they are not cut there" in caplog.text
    assert "the slower way" not in caplog.text
    processor = sentencepiece.SentencePieceProcessor(model_proto=content)
    texts = [text for text in TEXTS if "<unk>" not in text]
    assert [engine.encode(text) for text in texts] == [processor.encode(text) for text in texts]


@pytest.mark.parametrize("before", ["", "\n", "\n\t]^-"])
@given(text=st.text(" \n\t]^-ab", max_size=20))
def test_words_are_cut_where_allowed_and_nowhere_else(before: str, text: str) -> None:
    words = sentencepiece_words.word_finder(frozenset(before))(text)
    assert "".join(words) == text
    places = {sum(map(len, words[:n])) for n in range(1, len(words))}
    allowed = {i for i in range(1, len(text)) if text[i] == " " and text[i - 1] not in f" {before}"}
    assert places == allowed


def test_many_and_long_words_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentencepiece_words, "_MOST_WORDS", 20)
    engine = SentencePieceEngine(model_content(NAMES[0]), TokenFiles({"tokenizer_class": "InternLM2Tokenizer"}, {}, {}))
    words = engine._encode_many.__self__._encode_all.__self__
    for number in range(60):
        text = f"number {number} is {'long' * number}"
        assert engine.encode(text) == engine._original.encode(text)
    assert len(words._known) < 40
    assert max(map(len, words._known)) <= 64


# Folders.
