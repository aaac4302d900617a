"""Cut many whole elements at once off the bytes of a JSON array, with a parser that only skips over them.

The parser says where elements end if it is given some that are whole. Where a piece of the array may be cut is guessed
from the end: behind a brace, at a comma, before a brace. A wrong guess, inside an element, leaves brackets open, which
the parser refuses. What is cut off has the very bytes that stand in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_MOST_GUESSES = 64
_MOST_SPACE_BYTES = 256
_SEPARATOR = re.compile(rb"\s*,\s*")
_skip = msgspec.json.Decoder(list[msgspec.Raw]).decode


def cut_elements(text: bytes) -> tuple[list[tuple[int, int]], int]:
    """Find objects that stand whole at the beginning of some bytes.

    Args:
        text: Part of an array, from the first byte of an object on.

    Returns:
        Start and end of each object, and where the element behind the last of them begins. Empty and 0 if no object
        is followed by another one, or the first ones are broken.
    """
    for end, following in _guess_ends(text):
        try:
            raws = _skip(b"[" + text[:end] + b"]")
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
        return _places(text, raws), following
    return [], 0


def _guess_ends(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the last objects may end, and where the next ones begin, from the end backwards."""
    at = len(text)
    for _ in range(_MOST_GUESSES):
        at = text.rfind(b",", 0, at)
        if at < 0:
            return
        before = text[max(0, at - _MOST_SPACE_BYTES) : at].rstrip()
        behind = text[at + 1 : at + 1 + _MOST_SPACE_BYTES].lstrip()
        if before.endswith(b"}") and behind.startswith(b"{"):
            end = max(0, at - _MOST_SPACE_BYTES) + len(before)
            yield end, text.index(b"{", at)


def _places(text: bytes, raws: list[msgspec.Raw]) -> list[tuple[int, int]]:
    places, start = [], 0
    for raw in raws:
        end = start + len(memoryview(raw))
        places.append((start, end))
        separator = _SEPARATOR.match(text, end)
        start = separator.end() if separator is not None else end
    return places
