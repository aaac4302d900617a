"""Make rows that are too long fit, as ``--truncation`` says, and say what was done.

Whole turns or whole tiles go, never a part of an image: ``drop-turns`` leaves the oldest turns out with their images
and boxes, ``fewer-tiles`` gives the images of the row fewer tiles. Lint and conversion both measure rows here, so that
they count alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dataprep.encode import Encoder
from dataprep.layouts import Layout
from dataprep.rules.base import CheckedRow, Shortening
from dataprep.rules.measuring import lay_out_row, set_layout
from dataprep.rules.spans import part_tokens
from dataprep.tiling import choose_grid
from dataprep.tokenization import segment_texts

POLICIES = ("drop-turns", "fewer-tiles")
"""The policies that make rows shorter."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A row as it would be."""

    row: CheckedRow
    done: Shortening


def shorten(row: CheckedRow, encoder: Encoder, *, policy: str, limit: int, exif: str) -> bool:
    """Make a measured row fit if the policy can; return whether it did.

    Args:
        row: A row of more than ``limit`` tokens; its layout, its numbers of tokens and ``shortening`` are set anew.
        encoder: Renders and tokenizes.
        policy: One of :data:`POLICIES`.
        limit: Most tokens.
        exif: ``ignore`` or ``apply`` the EXIF orientation of images.
    """
    attempt = _METHODS[policy](row, encoder, limit, exif)
    if attempt is None:
        return False
    made = attempt.row
    row.layout, row.segments, row.part_tokens = made.layout, made.segments, made.part_tokens
    row.num_tokens, row.num_image_tokens = made.num_tokens, made.num_image_tokens
    row.shortening = attempt.done
    return True


def remedies(row: CheckedRow, encoder: Encoder, *, limit: int, exif: str) -> tuple[Shortening, ...]:
    """Return what each policy would do to a row that is too long, of those that would make it fit."""
    attempts = (method(row, encoder, limit, exif) for method in _METHODS.values())
    return tuple(attempt.done for attempt in attempts if attempt is not None)


def _drop_turns(row: CheckedRow, encoder: Encoder, limit: int, exif: str) -> _Attempt | None:
    """Leave out as few of the oldest turns as it takes, never the last."""
    num_turns = len(row.checked_record.turns)
    low, high = 1, num_turns - 1
    while low < high:  # each turn has tokens: the more are left out, the shorter the row
        middle = (low + high) // 2
        low, high = (low, middle) if _without_turns(row, encoder, middle, exif)[1] <= limit else (middle + 1, high)
    for first in range(low, num_turns):
        made, length = _without_turns(row, encoder, first, exif)
        if length <= limit and _is_whole(made.layout, row.layout):
            assert row.num_tokens is not None
            done = Shortening("drop-turns", row.num_tokens, length, first, num_turns)
            return _Attempt(made, done)
    return None


def _without_turns(row: CheckedRow, encoder: Encoder, first: int, exif: str) -> tuple[CheckedRow, int]:
    layout = lay_out_row(row, encoder, exif, first_turn=first)
    made = CheckedRow(row.raw)
    set_layout(made, layout, encoder.tokenizer.encode_many(segment_texts(layout.parts)), encoder)
    assert made.num_tokens is not None
    return made, made.num_tokens


def _is_whole(made: Layout | None, before: Layout | None) -> bool:
    """Whether the turns that are left speak of nothing that went with the others."""
    assert made is not None
    assert before is not None
    return bool(made.images or not before.images) and all(box.image >= 0 for box in made.boxes)


def _fewer_tiles(row: CheckedRow, encoder: Encoder, limit: int, exif: str) -> _Attempt | None:
    """Give the images as many tiles as fit, at least one each; frames of videos have one as it is."""
    layout = row.layout
    assert layout is not None
    assert row.num_tokens is not None
    settings = encoder.settings
    side, per_tile = settings.tiles.tile_size_px, settings.tiles.tokens_per_tile
    most = max((i.grid.columns * i.grid.rows for i in layout.images if i.kind == "image"), default=1)
    for budget in range(most - 1, 0, -1):
        images = tuple(
            replace(i, grid=choose_grid(i.width, i.height, max_num=budget, tile_size_px=side))
            if i.kind == "image"
            else i
            for i in layout.images
        )
        num_image_tokens = per_tile * sum(image.grid.tiles for image in images)
        length = row.num_tokens - row.num_image_tokens + num_image_tokens
        if length > limit:
            continue
        made = CheckedRow(row.raw, layout=replace(layout, images=images), segments=row.segments)
        made.num_tokens, made.num_image_tokens = length, num_image_tokens
        slots = made.layout.slot_tokens(per_tile) if made.layout is not None else []
        made.part_tokens = part_tokens(layout.parts, list(map(len, row.segments)), slots)
        return _Attempt(made, Shortening("fewer-tiles", row.num_tokens, length, budget, most))
    return None


_METHODS: dict[str, Callable[[CheckedRow, Encoder, int, str], _Attempt | None]] = {
    "drop-turns": _drop_turns,
    "fewer-tiles": _fewer_tiles,
}
