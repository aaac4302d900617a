"""Where the tokens of a rendered row stand: which parts carry loss, which belong to images, where a cut would fall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dataprep.rules.base import CheckedRow
from dataprep.templates import Part, Slot


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens of one part: positions ``start`` to ``stop``, the latter not included; BOS has position 0.

    Attributes:
        start: First position.
        stop: Position behind the last one.
        num_trained: How many of them carry loss; they stand at the beginning.
        images: Numbers of the images, in the order of the slots; empty for text.
    """

    start: int
    stop: int
    num_trained: int
    images: range


def part_tokens(parts: Sequence[Part], text_tokens: Sequence[int], slot_tokens: Sequence[int]) -> tuple[int, ...]:
    """Return the number of tokens of each part, given those of the texts and of the slots, each in order."""
    texts, slots = iter(text_tokens), iter(slot_tokens)
    return tuple(next(slots) if isinstance(part, Slot) else next(texts) for part in parts)


def spans_of(row: CheckedRow) -> Iterator[Span]:
    """Yield the span of each part of a measured row."""
    assert row.layout is not None
    assert row.num_tokens is not None
    start, follows_answer = row.num_tokens - sum(row.part_tokens), False
    for part, count in zip(row.layout.parts, row.part_tokens, strict=True):
        if isinstance(part, Slot):
            yield Span(start, start + count, 0, range(part.first, part.first + part.count))
            follows_answer = False
        else:
            # The end token of an earlier answer stands in the text behind it and is trained, too.
            trained = count if part.is_trained else min(count, int(follows_answer))
            yield Span(start, start + count, trained, range(0))
            follows_answer = part.is_trained
        start += count
