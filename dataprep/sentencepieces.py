"""Sentencepiece tokenizers of the original InternLM2, Yi and Phi-3 folders, with the ids of their original slow code.

Conversions of these tokenizers to other engines differ on spaces around added tokens. Here sentencepiece itself does
the work, as ``sentencepiece_original`` says and as fast as ``sentencepiece_words`` can.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataprep.added_tokens import TokenFiles
from dataprep.sentencepiece_model import SentencePieceModel
from dataprep.sentencepiece_original import OriginalCode
from dataprep.sentencepiece_words import EncodeMany, agrees, make_encode_many

if TYPE_CHECKING:
    from dataprep.pieces import IdArray


class SentencePieceEngine:
    """Turns texts into ids and back as a folder with ``tokenizer.model`` does.

    Attributes:
        special: Special tokens by their texts.
        num_tokens: Number of tokens, added ones included.
        vocab_size: One more than the largest id.
    """

    def __init__(self, content: bytes, files: TokenFiles) -> None:
        """Take the files.

        Args:
            content: Of ``tokenizer.model``.
            files: The other files.

        Raises:
            ConfigError: If the model cannot be read, or the tokenizer class is unknown.
        """
        model = SentencePieceModel(content)
        self._original = OriginalCode(model, files)
        self._encode_many = make_encode_many(self._original, model)
        added = self._original.added
        self._added_by_id = {token.id: token for token in added.values()}
        self.special = frozenset(token.content for token in added.values() if token.special)
        ids = {*range(len(model.pieces)), *self._added_by_id}
        self.num_tokens, self.vocab_size = len(ids), max(ids) + 1
        self._description = {
            "added_tokens": [token.to_json() for token in added.values()],
            "normalizer": {
                "type": self._original.name,
                "legacy": self._original.is_legacy,
                "special": sorted(self._original.special),
            },
            "model": {"type": "SentencePiece", "vocab": [hashlib.sha256(content).hexdigest()]},
        }

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, no special token added."""
        return list(self._encode_many([text])[0].tolist())

    def encode_many(self, texts: Sequence[str]) -> list[IdArray]:
        """Return the ids of several texts, int32."""
        return self._encode_many(texts)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some ids as the original code writes it, with spaces around added tokens."""
        return self._original.decode(ids)

    def plain_text(self, ids: Sequence[int]) -> str:
        """Return the text that has these ids, nothing added and nothing tidied."""
        return self._original.plain_text(ids)

    def token_to_id(self, token: str) -> int | None:
        """Return the id of a token; None if there is none."""
        return self._original.token_to_id(token)

    def has_bos(self, bos_id: int) -> bool:
        """Whether the beginning of a text gets a token where the configuration does not say it: all classes do."""
        return bos_id in self._added_by_id

    def agrees_with(self, encode_many: EncodeMany) -> bool:
        """Whether another tokenizer gives the ids of this one on the built-in probe set."""
        return agrees(encode_many, self._original)

    def to_json(self) -> str:
        """Return everything that decides about ids as JSON."""
        return json.dumps(self._description, separators=(",", ":"), ensure_ascii=False)
