"""Cut texts at special tokens, so that what lies between them is tokenized once, however often it comes again.

A tokenizer looks for its special tokens first, and tokenizes each stretch between two of them for itself. So system
prompts, the words of a chat template and repeated questions are stretches that can be remembered. That holds for
byte-level BPE tokenizers whose special tokens take no white space along; others are not cut. A check on fixed texts
compares both ways once, when a tokenizer is loaded.
"""

from __future__ import annotations

import logging
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from dataprep.words import splitter_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    IdArray: TypeAlias = NDArray[np.int32]

EncodeAll: TypeAlias = "Callable[[list[str]], list[bytes]]"
"""Tokenizes texts that hold no special token; ids are int32 in the machine's order, because bytes are joined faster
than lists or arrays."""

Splitter: TypeAlias = "Callable[[str], list[str] | None]"

_log = logging.getLogger(__name__)

_MOST_WORDS = 200_000
_MOST_REMEMBERED = 50_000
_LONGEST_REMEMBERED = 4_096
_PLAIN_STEPS = {"Split", "ByteLevel", "Digits", "Punctuation"}
PROBES = (
    "", " ", "\n", "hello world", " hello ", "a\n\nb\t x  y   ", "don't I'LL we've", "0123456789 1.5e-3 12,345",
    "def f(x: int) -> str:\n    return f'{x!r}'\n", "{\"a\": [1, 2.5, null]}", "你是由上海人工智能实验室联合",
    "Straße, naïve", "é e\u0301 ﬁ Å", "🐈‍⬛👍🏽", "\u200b\ufeff\x00\x7f", "ａＢＣ １２３", "a" * 300,
    "<|im_start", "< img >", "x </s y",
    "مرحبا हिन्दी ไทย",
    " <ref>a cat</ref> <box> [[1, 2, 3, 4]] </box> ", "IMG_CONTEXT>\r\n", "\u00a0\u2003x\u2028",
)  # fmt: skip


class _Model(msgspec.Struct):
    type: str = ""
    dropout: float | None = None


class _Description(msgspec.Struct):
    """What ``tokenizer.json`` says but for the vocabulary."""

    added_tokens: list[dict[str, Any]]
    model: _Model
    normalizer: dict[str, Any] | None
    pre_tokenizer: dict[str, Any] | None


def make_piece_encoder(tokenizer: Tokenizer, description: str | None = None) -> PieceEncoder | None:
    """Return the fastest encoder that gives a tokenizer's own ids; None if its texts cannot be cut.

    Args:
        tokenizer: The tokenizer.
        description: Itself as JSON, where the caller has it at hand.
    """
    parts = _describe(tokenizer, description)
    special = _special_tokens(parts)
    if special is None:
        return None
    normalizer = parts.normalizer
    split = splitter_of(parts.pre_tokenizer or {}) if normalizer is None or normalizer["type"] == "NFC" else None
    for splitter in dict.fromkeys((split, None)):
        words = WordEncoder(tokenizer, splitter, is_normalized=normalizer is not None)
        if agrees(PieceEncoder(special, words.encode_all), tokenizer, special):
            return PieceEncoder(special, words.encode_all)
        how = "cut at its special tokens" if splitter is None else "split into words"
        _log.warning("texts %s get other ids from this tokenizer; the slower way is taken, with the right ones", how)
    return None


def _describe(tokenizer: Tokenizer, description: str | None = None) -> _Description:
    return msgspec.json.decode(tokenizer.to_str() if description is None else description, type=_Description)


def special_tokens_of(tokenizer: Tokenizer) -> dict[str, int] | None:
    """Return the added tokens at which texts may be cut, with their ids; None if this tokenizer cannot be cut."""
    return _special_tokens(_describe(tokenizer))


def _special_tokens(parts: _Description) -> dict[str, int] | None:
    added, model, steps = parts.added_tokens, parts.model, _steps_of(parts.pre_tokenizer)
    is_plain = (
        model.type == "BPE"
        and not model.dropout
        and bool(steps)
        and all(step["type"] in _PLAIN_STEPS and not step.get("add_prefix_space") for step in steps)
        and not any(token["single_word"] or token["lstrip"] or token["rstrip"] for token in added)
        and not any(token["normalized"] for token in added)
    )
    return {token["content"]: token["id"] for token in added if token["content"]} if is_plain and added else None


def _steps_of(pre_tokenizer: dict[str, Any] | None) -> list[dict[str, Any]]:
    if pre_tokenizer is None:
        return []
    return list(pre_tokenizer["pretokenizers"]) if pre_tokenizer["type"] == "Sequence" else [pre_tokenizer]


def longest_first(tokens: Iterable[str]) -> list[str]:
    """Return tokens in the order in which they are looked for at one place of a text."""
    return sorted(tokens, key=lambda token: (-len(token), token))


def cutter_of(expressions: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a function that cuts a text at what matches one of some expressions, and keeps what matched."""
    return re.compile(f"({'|'.join(expressions)})").split


class WordEncoder:
    """Tokenizes texts word by word, where it can tell the words, and remembers the words."""

    def __init__(self, tokenizer: Tokenizer, split: Splitter | None, *, is_normalized: bool) -> None:
        """Take the tokenizer.

        Args:
            tokenizer: Tokenizes new words, and texts that cannot be split.
            split: Splits a text into words or says None; None cannot split any.
            is_normalized: Whether the tokenizer changes texts that are not ASCII before it splits them.
        """
        self._tokenizer = tokenizer
        self._split = split
        self._is_normalized = is_normalized
        self._known: dict[str, bytes] = {}

    def encode_all(self, texts: list[str]) -> list[bytes]:
        """Return the ids of texts that hold no special token."""
        split = self._split
        if split is None:
            return self._encode(texts)
        if len(self._known) > _MOST_WORDS:
            self._known = {}
        known = self._known
        words = [None if self._is_normalized and not text.isascii() else split(text) for text in texts]
        whole = [text for text, found in zip(texts, words, strict=True) if found is None]
        new = list(set().union(*filter(None, words)).difference(known))
        known.update(zip(new, self._encode(new), strict=True))
        rest, ids_of = iter(self._encode(whole)), known.__getitem__
        return [next(rest) if found is None else b"".join(map(ids_of, found)) for found in words]

    def _encode(self, texts: list[str]) -> list[bytes]:
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [array("i", encoding.ids).tobytes() for encoding in encodings]


class PieceEncoder:
    """Tokenizes texts stretch by stretch and remembers the stretches."""

    def __init__(
        self, special: dict[str, int], encode_all: EncodeAll, cut: Callable[[str], list[str]] | None = None
    ) -> None:
        """Take the engine.

        Args:
            special: Special tokens and their ids.
            encode_all: Tokenizes what lies between them.
            cut: Cuts a text at its special tokens; None where they take no white space along.
        """
        self._encode_all = encode_all
        self._cut = cut or cutter_of(map(re.escape, longest_first(special)))
        self._special = {token: array("i", [number]).tobytes() for token, number in special.items()} | {"": b""}
        self._known = dict(self._special)

    def encode_many(self, texts: Sequence[str]) -> list[IdArray]:
        """Return the ids of each text, int32, read-only."""
        import numpy as np

        if len(self._known) > _MOST_REMEMBERED:
            self._known = dict(self._special)
        known = self._known
        cut = list(map(self._cut, texts))
        new = list(dict.fromkeys([piece for pieces in cut for piece in pieces if piece not in known]))
        known.update(zip(new, self._encode_all(new), strict=True))
        ids_of = known.__getitem__
        found = [np.frombuffer(b"".join(map(ids_of, pieces)), np.int32) for pieces in cut]
        for piece in new:
            if len(piece) > _LONGEST_REMEMBERED:
                del known[piece]
        return found


def agrees(encoder: PieceEncoder, tokenizer: Tokenizer, special: dict[str, int]) -> bool:
    """Whether the encoder gives the tokenizer's own ids on fixed texts, with and without special tokens between."""
    tokens = sorted(special)
    mixed = [f"{left}{tokens[i % len(tokens)]}{left[::-1]}{tokens[-1]}" for i, left in enumerate(PROBES)]
    texts = [*PROBES, *mixed, "".join(tokens), " ".join(tokens), "x".join(tokens)]
    expected = tokenizer.encode_batch(texts, add_special_tokens=False)
    found = encoder.encode_many(texts)
    return all(ids.tolist() == encoding.ids for ids, encoding in zip(found, expected, strict=True))
