"""The fast way for sentencepiece tokenizers: texts cut at added tokens and before spaces, each word tokenized once.

Nearly all words of a corpus come again, and sentencepiece is slow on long texts. Where a model's merges never reach
over the place between a word and the space that follows (see ``SentencePieceModel.is_cut_at_spaces``), the ids of a
text are those of its words. That is checked against the original code on fixed texts whenever a model is loaded.
"""

from __future__ import annotations

import logging
import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from dataprep.added_tokens import AddedToken
from dataprep.pieces import PROBES, PieceEncoder, cutter_of, longest_first
from dataprep.sentencepiece_model import SPACE, SentencePieceModel
from dataprep.sentencepiece_original import OriginalCode

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

    from dataprep.pieces import IdArray

EncodeMany: TypeAlias = "Callable[[Sequence[str]], list[IdArray]]"

_log = logging.getLogger(__name__)

_MOST_WORDS = 200_000
_LONGEST_WORD = 64
MORE_PROBES = (
    "  ", "   ", " " * 37, "a  b   c    d", "\n\n\n   x\n  y", "\t\t\tx", " \n ", "\r\n", "x ", " x", "ab" * 90,
    f"{SPACE}", f"a{SPACE}b {SPACE} c", f"{SPACE}{SPACE}x", "=" * 70, "哈" * 80, "A" * 1000, "the " * 200,
    "\ue000\U0010ffff", "\x00", "a\x00b", "\x01\x1b[0m", "e\u0301\u0323 a\u0308\u0308", "\u202eabc\u202c",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\U0001f1e9\U0001f1ea", "<0x0A> <0xE4>", "<unk> unk", "한국어 텍스트",
    "for i in range(10):\n    if x != y:\n        return -1.5e10  # no\n", "3.14159,26535;00000 007", "x.y?z!w...",
    "https://a.b/c?d=e&f=%20#g", "ÀÉÎõü ßŁđ", "Здравствуй, мир", "नमस्ते दुनिया", "a\u3000b\u00a0c\u2009d",
    "it's isn't 'm", "\\n\\t \"q\" `c` ~~ ^^ ||", "[[12, 34, 567, 890]]", "１２３ ①② ﬃ ½",
)  # fmt: skip
"""Together with ``pieces.PROBES`` the built-in probe set."""


def make_encode_many(original: OriginalCode, model: SentencePieceModel) -> EncodeMany:
    """Return the fastest function that gives the original's ids, int32, of several texts."""
    is_plain = all(_is_plain(token, original) for token in original.added.values())
    if is_plain and model.is_cut_at_spaces:
        encode_many = make_word_encoder(original, model).encode_many
        if agrees(encode_many, original):
            return encode_many
        _log.warning("texts cut before their spaces get other ids from this tokenizer; they are not cut there")
    if is_plain and original.is_legacy:
        encode_many = _make_stretch_encoder(original, model).encode_many
        if agrees(encode_many, original):
            return encode_many
    _log.warning("texts cannot be cut for this tokenizer; the slower way is taken, with the right ids")

    def encode_slowly(texts: Sequence[str]) -> list[IdArray]:
        import numpy as np

        return [np.asarray(original.encode(text), dtype=np.int32) for text in texts]

    return encode_slowly


def _is_plain(token: AddedToken, original: OriginalCode) -> bool:
    text = token.content
    is_one = original.learnt_id(text) in (None, token.id)  # a piece of this text would get the id of the added token
    return is_one and not (token.lstrip or token.single_word or SPACE in text or text != text.strip())


def make_word_encoder(original: OriginalCode, model: SentencePieceModel) -> PieceEncoder:
    """Return an encoder that cuts texts into words, whether or not that is right for a model."""
    special, split = original.special, _make_split(original)

    def cut(text: str) -> list[str]:
        if not text:
            return []
        stretches = split(SPACE + text.replace(SPACE, " "))
        if stretches[0] == SPACE and len(stretches) > 1 and stretches[1].rstrip() in special:
            stretches[0] = ""
        return stretches

    words = _Words(
        model.without_prefix,
        word_finder(model.before_spaces),
        prefix=" " if original.is_legacy and model.adds_prefix else "",
        added=_ids_of(original),
    )
    return PieceEncoder(_ids_of(original), words.encode_all, split if original.is_legacy else cut)


def _make_stretch_encoder(original: OriginalCode, model: SentencePieceModel) -> PieceEncoder:
    """Return an encoder that cuts texts at added tokens alone, and remembers what lies between them."""
    added = {text: array("i", [number]).tobytes() for text, number in _ids_of(original).items()}

    def encode_all(stretches: list[str]) -> list[bytes]:
        found = [added.get(stretch.rstrip()) for stretch in stretches]
        texts = [stretch for stretch, known in zip(stretches, found, strict=True) if known is None]
        rest = iter(model.processor.encode(texts, num_threads=1))
        return [array("i", next(rest)).tobytes() if known is None else known for known in found]

    return PieceEncoder(_ids_of(original), encode_all, _make_split(original))


def _ids_of(original: OriginalCode) -> dict[str, int]:
    return {token.content: token.id for token in original.added.values()}


def _make_split(original: OriginalCode) -> Callable[[str], list[str]]:
    """Return a function that cuts a text at added tokens, which keep the white space that they take along."""
    return cutter_of(
        re.escape(text) + (r"\s*" if original.added[text].rstrip else "") for text in longest_first(original.added)
    )


def word_finder(before_spaces: frozenset[str]) -> Callable[[str], list[str]]:
    """Return a function that cuts a text before each run of spaces, but not behind some characters.

    Args:
        before_spaces: The characters behind which a text is not cut.
    """
    if not before_spaces:
        return re.compile(" *[^ ]+| +").findall
    some = "".join(map(re.escape, sorted(before_spaces)))
    return re.compile(f"[ {some}]*[^ {some}]+(?:[{some}][ {some}]*[^ {some}]*)*|[ {some}]+").findall


class _Words:
    """Tokenizes stretches word by word and remembers the words."""

    def __init__(
        self,
        processor: SentencePieceProcessor,
        find_words: Callable[[str], list[str]],
        *,
        prefix: str,
        added: Mapping[str, int],
    ) -> None:
        self._processor, self._find_words, self._prefix = processor, find_words, prefix
        self._added = {text: array("i", [number]).tobytes() for text, number in added.items()}
        self._known: dict[str, bytes] = {}

    def encode_all(self, stretches: list[str]) -> list[bytes]:
        """Return the ids of stretches and of added tokens with the white space that they take along."""
        if len(self._known) > _MOST_WORDS:
            self._known = {}
        known, added = self._known, self._added
        find_words = self._find_words
        words = [
            [] if stretch.rstrip() in added else find_words(self._prefix + stretch.replace(SPACE, " "))
            for stretch in stretches
        ]
        new = list(set().union(*words).difference(known))
        known.update(zip(new, self._encode(new), strict=True))
        ids_of = known.__getitem__
        found = [
            b"".join(map(ids_of, inside)) if inside else added[stretch.rstrip()]
            for stretch, inside in zip(stretches, words, strict=True)
        ]
        for word in new:
            if len(word) > _LONGEST_WORD:
                del known[word]
        return found

    def _encode(self, words: list[str]) -> list[bytes]:
        return [array("i", ids).tobytes() for ids in self._processor.encode(words, num_threads=1)]


def agrees(encode_many: EncodeMany, original: OriginalCode) -> bool:
    """Whether a tokenizer gives the original's ids on the probe set, with and without added tokens between."""
    tokens, probes = sorted(original.added), (*PROBES, *MORE_PROBES)
    mixed = [f"{left}{tokens[i % len(tokens)]}{left[::-1]}{tokens[-1]}" for i, left in enumerate(probes)]
    around = [f"{token}{gap}a{gap}{token}{gap}{token}" for token in tokens for gap in ("", " ", "  \n", SPACE)]
    ends = [f"{gap}{token}{gap}" for token in tokens for gap in ("", " ", "\n", SPACE)]
    texts = [*probes, *mixed, *around, *ends, "".join(tokens), " ".join(tokens), "x".join(tokens)]
    found = encode_many(texts)
    return all(ids.tolist() == original.encode(text) for ids, text in zip(found, texts, strict=True))
