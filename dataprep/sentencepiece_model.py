"""A ``tokenizer.model`` file: the sentencepiece processor, and whether texts may be cut before their spaces.

The processor does not say how its model normalises texts, so those few fields are read from the file itself, which
is a protocol buffer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from dataprep.errors import ConfigError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

SPACE = "\u2581"
"""What stands for a space inside pieces."""
_TRAINER, _NORMALIZER = 2, 3  # fields of ModelProto
_MODEL_TYPE, _SPACE_AS_SUFFIX, _BYTE_FALLBACK = 3, 24, 35  # fields of TrainerSpec
_CHARACTER_MAP, _DUMMY_PREFIX, _REMOVE_SPACES, _ESCAPE_SPACES = 2, 3, 4, 5  # fields of NormalizerSpec
_BPE = 2
_MOST_BEFORE_SPACES = 32
# A message that is written twice is merged, so that this behind a model overwrites one field of its normaliser.
_NO_DUMMY_PREFIX = bytes([_NORMALIZER << 3 | 2, 2, _DUMMY_PREFIX << 3, 0])


@dataclass(frozen=True)
class SentencePieceModel:
    """The content of a ``tokenizer.model`` file."""

    content: bytes

    @cached_property
    def processor(self) -> SentencePieceProcessor:
        """The processor as the file says.

        Raises:
            ConfigError: If this is no such file.
        """
        return _make_processor(self.content)

    @cached_property
    def without_prefix(self) -> SentencePieceProcessor:
        """The processor that puts no space before a text."""
        return _make_processor(self.content + _NO_DUMMY_PREFIX)

    @cached_property
    def pieces(self) -> list[str]:
        """The pieces by id."""
        return list(self.processor.id_to_piece(list(range(self.processor.get_piece_size()))))

    @cached_property
    def adds_prefix(self) -> bool:
        """Whether the processor puts a space before a text."""
        return bool(self._fields(_NORMALIZER).get(_DUMMY_PREFIX, 1))

    @cached_property
    def before_spaces(self) -> frozenset[str]:
        """The characters that some piece holds right before a space, such as line breaks."""
        followed = {char for piece in self.pieces for char, after in pairwise(piece) if after == SPACE}
        return frozenset(followed - {SPACE})

    @cached_property
    def is_cut_at_spaces(self) -> bool:
        """Whether each word of a text, with the spaces before it, gets its ids for itself.

        That is so where the text is taken as it is: merges never reach over a place between two characters that no
        piece holds beside each other. Few characters must stand before spaces in pieces, else there are no such places.
        """
        normalizer, trainer = self._fields(_NORMALIZER), self._fields(_TRAINER)
        return (
            trainer.get(_MODEL_TYPE) == _BPE
            and trainer.get(_BYTE_FALLBACK) == 1  # else unknown characters beside each other would be one token
            and not trainer.get(_SPACE_AS_SUFFIX)
            and not normalizer.get(_CHARACTER_MAP)
            and normalizer.get(_REMOVE_SPACES, 1) == 0
            and normalizer.get(_ESCAPE_SPACES, 1) == 1
            and len(self.before_spaces) <= _MOST_BEFORE_SPACES
            and not any(map(str.isalnum, self.before_spaces))
            and not any(" " in piece for piece in self.pieces)
        )

    @cached_property
    def _messages(self) -> dict[int, bytes]:
        """The messages of the model that are no pieces, by field."""
        found: dict[int, bytes] = {}
        for number, start, end in _walk(self.content):
            if number in (_TRAINER, _NORMALIZER):
                found[number] = found.get(number, b"") + self.content[start:end]
        return found

    def _fields(self, number: int) -> dict[int, int]:
        """Return the fields of a message of the model; of those that are no numbers, their lengths."""
        message = self._messages.get(number, b"")
        return {field: end - start if end else start for field, start, end in _walk(message)}


def _make_processor(content: bytes) -> SentencePieceProcessor:
    from sentencepiece import SentencePieceProcessor

    try:
        processor = SentencePieceProcessor(model_proto=content)
        if not processor.get_piece_size():
            raise ValueError("it is empty")
    except Exception as error:
        raise ConfigError(
            f"tokenizer.model is no sentencepiece model ({error}); copy the model folder again"
        ) from error
    return processor


def _walk(message: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each field, and where its bytes begin and end; for a number, its value and 0."""
    place, size = 0, len(message)
    while place < size:
        key, place = _varint(message, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield key >> 3, value, 0
            continue
        length = {1: 8, 5: 4}.get(kind)
        if length is None:
            length, place = _varint(message, place)
        yield key >> 3, place, place + length
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
