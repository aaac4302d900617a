"""What does the work of a tokenizer: one interface, and the engine for ``tokenizer.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from dataprep.pieces import make_piece_encoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from dataprep.pieces import IdArray

_MEMO_ENTRIES = 200_000


class Engine(Protocol):
    """Turns texts into ids and back."""

    @property
    def special(self) -> frozenset[str]:
        """The added tokens that are marked as special, by their texts."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens, added ones included."""

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, no special token added."""

    def encode_many(self, texts: Sequence[str]) -> list[IdArray]:
        """Return the ids of several texts, int32."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some ids as the original tokenizer writes it."""

    def plain_text(self, ids: Sequence[int]) -> str:
        """Return the text that has these ids."""

    def token_to_id(self, token: str) -> int | None:
        """Return the id of a token; None if there is none."""

    def has_bos(self, bos_id: int) -> bool:
        """Whether texts begin with a token where the configuration does not say it."""

    def to_json(self) -> str:
        """Return everything that decides about ids as JSON."""


class JsonEngine:
    """A ``tokenizer.json``, or what is built like one, with a memory for repeated texts."""

    def __init__(self, tokenizer: Tokenizer, description: str | None = None) -> None:
        """Take the tokenizer.

        Args:
            tokenizer: The tokenizer.
            description: Itself as JSON, where the caller has it at hand.
        """
        self._tokenizer = tokenizer
        self._memo: dict[str, IdArray] = {}
        self._pieces = make_piece_encoder(tokenizer, description)

    @property
    def special(self) -> frozenset[str]:
        """The added tokens that are marked as special, by their texts."""
        return frozenset(
            token.content for token in self._tokenizer.get_added_tokens_decoder().values() if token.special
        )

    @property
    def num_tokens(self) -> int:
        """Number of tokens, added ones included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return int(max(self._tokenizer.get_vocab(with_added_tokens=True).values())) + 1

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, no special token added."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_many(self, texts: Sequence[str]) -> list[IdArray]:
        """Return the ids of several texts, int32; what was seen before is not tokenized again."""
        import numpy as np

        if self._pieces is not None:
            return self._pieces.encode_many(texts)
        new = list({text: None for text in texts if text not in self._memo})
        if len(self._memo) + len(new) > _MEMO_ENTRIES:
            self._memo.clear()
            new = list(dict.fromkeys(texts))
        encode_batch = self._tokenizer.encode_batch_fast  # without offsets into the text: same ids, less work
        for text, encoding in zip(new, encode_batch(new, add_special_tokens=False), strict=True):
            self._memo[text] = np.asarray(encoding.ids, dtype=np.int32)
        return [self._memo[text] for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some ids, special tokens included."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def plain_text(self, ids: Sequence[int]) -> str:
        """Return the text that has these ids."""
        return self.decode(ids)

    def token_to_id(self, token: str) -> int | None:
        """Return the id of a token; None if there is none."""
        found = self._tokenizer.token_to_id(token)
        return None if found is None else int(found)

    def has_bos(self, bos_id: int) -> bool:
        """Whether texts begin with a token where the configuration does not say it."""
        return bos_id in self._tokenizer.encode("").ids

    def to_json(self) -> str:
        """Return everything that decides about ids as JSON, in the form of ``tokenizer.json``."""
        return str(self._tokenizer.to_str())
