"""The original slow code of sentencepiece tokenizers, step by step: exact, and the measure for the fast way.

That code (InternLM2's own and ``LlamaTokenizer`` of transformers 4.37) looks for added tokens first, and gives each
stretch between them to sentencepiece for itself. It is slow, for a tokenizer; see ``sentencepiece_words``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataprep.added_tokens import TokenFiles, read_added_tokens, special_tokens, token_text
from dataprep.errors import ConfigError
from dataprep.pieces import cutter_of, longest_first
from dataprep.sentencepiece_model import SPACE, SentencePieceModel

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

_LLAMA = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
CLASSES = {"InternLM2Tokenizer": _LLAMA | {"pad_token": "</s>"}, "LlamaTokenizer": _LLAMA}
"""Tokenizer classes and the special tokens that they have without being told."""


class OriginalCode:
    """The original code of one model folder.

    Attributes:
        name: Its tokenizer class.
        added: Added tokens by their texts.
        special: Texts that the original code counts as special.
        is_legacy: Whether each stretch gets the model's own prefix; else only the beginning of a text gets one.
    """

    def __init__(self, model: SentencePieceModel, files: TokenFiles) -> None:
        """Take the files.

        Args:
            model: ``tokenizer.model``.
            files: The other files.

        Raises:
            ConfigError: If the model cannot be read, or the tokenizer class is unknown.
        """
        self.name = name = class_name(files)
        settings = files.merged
        self._model = model
        self._is_internlm = name == "InternLM2Tokenizer"
        self.is_legacy = self._is_internlm or settings.get("legacy") is not False
        self._processor: SentencePieceProcessor = model.processor if self.is_legacy else model.without_prefix
        special = special_tokens(files, CLASSES[name])
        self.special = frozenset(special)
        self._learnt_ids = {piece: number for number, piece in reversed(list(enumerate(model.pieces)))}
        tokens = read_added_tokens(files, special, learnt_id=self._learnt_ids.get, num_learnt=len(model.pieces))
        self.added = {token.content: token for token in tokens}
        self._by_id = {token.id: token for token in tokens}
        additional = {token_text(value) for value in settings.get("additional_special_tokens") or []}
        plain = {text for text in self.added if text not in self.special}
        self._apart = plain | {t.content for t in tokens if t.content in additional and t.id >= len(model.pieces)}
        self._tidies = bool(settings.get("clean_up_tokenization_spaces"))
        self._unknown = token_text(settings.get("unk_token")) or _LLAMA["unk_token"]
        self._unknown_length = len(self._processor.encode(self._unknown))
        self._cut = cutter_of(map(re.escape, longest_first(self.added)))

    def token_to_id(self, token: str) -> int | None:
        """Return the id of a token; None if there is none."""
        return self.added[token].id if token in self.added else self._learnt_ids.get(token)

    def learnt_id(self, piece: str) -> int | None:
        """Return the id of a token that sentencepiece itself knows; None if it does not."""
        return self._learnt_ids.get(piece)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, no special token added."""
        if self.is_legacy or not text:
            tokens = self._tokenize(text)
        else:
            tokens = self._tokenize(SPACE + text.replace(SPACE, " "))
            if len(tokens) > 1 and tokens[0] == SPACE and tokens[1] in self.special:
                tokens = tokens[1:]
        return [self.added[t].id if t in self.added else self._processor.piece_to_id(t) for t in tokens]

    def _tokenize(self, text: str) -> list[str]:
        tokens: list[str] = []
        for stretch in self._split(text):
            if stretch in self.added:
                tokens.append(stretch)
            else:
                tokens.extend(self._pieces_of(stretch))
        return tokens

    def _pieces_of(self, stretch: str) -> list[str]:
        if self.is_legacy or not stretch.startswith((SPACE, " ")):
            return list(self._processor.encode(stretch, out_type=str))
        pieces = self._processor.encode(self._unknown + stretch, out_type=str)
        return list(pieces[self._unknown_length :] if len(pieces) >= self._unknown_length else pieces)

    def _split(self, text: str) -> list[str]:
        """Cut a text at its added tokens, which may take white space along."""
        stretches = [stretch for stretch in self._cut(text) if stretch]
        for i, stretch in enumerate(stretches):
            token = self.added.get(stretch)
            if token is None:
                continue
            left = stretches[i - 1] if i else ""
            right = stretches[i + 1] if i + 1 < len(stretches) else ""
            if token.rstrip and right:
                stretches[i + 1] = right.lstrip()
            if token.lstrip and left:
                stretches[i - 1] = left.rstrip()
            if token.single_word and left and left[-1] != " ":
                stretches[i - 1] += stretch
                stretches[i] = ""
            elif token.single_word and right and right[0] != " ":
                stretches[i + 1] = stretch + stretches[i + 1]
                stretches[i] = ""
        return [stretch for stretch in stretches if stretch]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some ids as the original code writes it; ids of no token are left out."""
        texts: list[str] = []
        waiting: list[str] = []
        for token in [*self._tokens_of(ids), None]:
            if token is None or token in self._apart:
                if waiting and (text := self._join(waiting)):
                    texts.append(text)
                waiting = []
                texts.extend([token] if token is not None else [])
            else:
                waiting.append(token)
        text = " ".join(texts)
        return _tidy(text) if self._tidies else text

    def _join(self, tokens: list[str]) -> str:
        if not self._is_internlm and tokens[0].startswith(SPACE):
            tokens = [tokens[0][1:], *tokens[1:]]
        text, waiting, is_after_special = "", [], False
        for i, token in enumerate(tokens):
            if token not in self.special:
                waiting.append(token)
                is_after_special = False
                continue
            if not is_after_special and (self._is_internlm or (i and self.is_legacy)):
                text += " "
            text += self._processor.decode(waiting) + token
            waiting, is_after_special = [], True
        text += self._processor.decode(waiting)
        return _tidy(text) if self._is_internlm else text

    def _tokens_of(self, ids: Sequence[int]) -> list[str]:
        pieces, by_id = self._model.pieces, self._by_id
        return [
            by_id[i].content if i in by_id else pieces[i] for i in map(int, ids) if i in by_id or 0 <= i < len(pieces)
        ]

    def plain_text(self, ids: Sequence[int]) -> str:
        """Return the text that has these ids; ids of no token are left out."""
        text = ""
        waiting: list[int] = []
        for i in [*map(int, ids), None]:
            token = None if i is None else self._by_id.get(i)
            if i is None or token is not None:
                text += self._plain(waiting, is_first=not text)
                waiting = []
                text += token.content if token else ""
            elif 0 <= i < len(self._model.pieces):
                waiting.append(i)
        return text

    def _plain(self, ids: list[int], *, is_first: bool) -> str:
        text = str(self._processor.decode(ids))
        return text[1:] if not self.is_legacy and is_first and text.startswith(" ") else text


def class_name(files: TokenFiles) -> str:
    """Return the tokenizer class that a folder names.

    Raises:
        ConfigError: If it is not one of :data:`CLASSES`.
    """
    name = str(files.merged.get("tokenizer_class")).removesuffix("Fast")
    if name not in CLASSES:
        raise ConfigError(
            f"tokenizer_config.json names the tokenizer class {name!r}, known for tokenizer.model are "
            f"{' and '.join(CLASSES)}; copy the tokenizer files of the original model"
        )
    return name


def _tidy(text: str) -> str:
    """Take out spaces before English punctuation and contractions, as the original does."""
    for found in (" .", " ?", " !", " ,"):
        text = text.replace(found, found[1:])
    text = text.replace(" ' ", "'")
    for found in (" n't", " 'm", " 's", " 've", " 're"):
        text = text.replace(found, found[1:])
    return text
