"""Count what matters in a block of lines, in a few vectorised passes over its bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

_NEWLINE, _QUOTE, _COLON, _LESS, _BACKSLASH = 10, 34, 58, 60, 92
_OPEN, _CLOSE = 123, 125
_SPACED_KEY = re.compile(rb'(?<!\\)"\s+:')


@dataclass(frozen=True, slots=True)
class BlockScan:
    r"""What was counted in a block.

    Attributes:
        text: Its bytes.
        num_lines: Lines, the last one included even if it lacks its line end.
        is_regular: Whether every line begins with ``{`` and ends with ``}``. A parser that then finds as many
            values as there are lines has found one value in each: inside a value, no ``}`` is followed by ``{``.
        num_key_ends: How often ``:`` occurs behind a quote or a byte below it, white space above all: at least once
            per key, however it is spaced, and once more wherever a text has the like.
        num_less: How often ``<`` occurs.
        has_escaped_less: Whether an escape such as ``\u003c`` may spell a ``<``.
    """

    text: bytes
    num_lines: int
    is_regular: bool
    num_key_ends: int
    num_less: int
    has_escaped_less: bool

    def agrees(self, num_keys: int, num_tags: int) -> bool:
        """Whether the block holds just the keys and tags that its rows account for."""
        if self.has_escaped_less or self.num_less != num_tags:
            return False
        if self.num_key_ends == num_keys:
            return True
        # Some text holds the like of it: count more closely.
        return _count_quoted(self.text) == num_keys and not has_spaced_key(self.text)


def scan_block(text: bytes) -> BlockScan:
    """Return the counts of some lines; ``text`` holds at least one byte."""
    codes = np.frombuffer(text, np.uint8)
    ends = (codes == _NEWLINE).nonzero()[0]
    ends_whole = codes[-1] == _NEWLINE
    inner = ends[:-1] if ends_whole else ends
    last = codes[-2] if ends_whole and len(codes) > 1 else codes[-1]
    is_regular = bool(
        codes[0] == _OPEN
        and last == _CLOSE
        and (codes[inner - 1] == _CLOSE).all()
        and (codes[inner + 1] == _OPEN).all()
    )
    key_ends = codes[1:] == _COLON
    key_ends &= codes[:-1] <= _QUOTE
    return BlockScan(
        text=text,
        num_lines=len(inner) + 1,
        is_regular=is_regular,
        num_key_ends=int(np.count_nonzero(key_ends)),
        num_less=int(np.count_nonzero(codes == _LESS)),
        has_escaped_less=b"\\" in text and has_escaped_less(text),
    )


def _count_quoted(text: bytes) -> int:
    """Return what :func:`count_keys` does, of many lines."""
    codes = np.frombuffer(text, np.uint8)
    colons = np.flatnonzero(codes[2:] == _COLON)  # as positions in ``codes[2:]``: none of a row's first two bytes
    return int(np.count_nonzero((codes[1:][colons] == _QUOTE) & (codes[colons] != _BACKSLASH)))


def count_keys(line: bytes) -> int:
    r"""Return how often ``":`` occurs behind anything but a backslash: once per key, where no key is spaced."""
    return line.count(b'":') - line.count(b'\\":')


def has_spaced_key(text: bytes) -> bool:
    """Whether white space stands between a quote and a colon anywhere."""
    return _SPACED_KEY.search(text) is not None


def has_escaped_less(text: bytes) -> bool:
    """Whether an escape may spell a ``<``."""
    return b"\\u003" in text
