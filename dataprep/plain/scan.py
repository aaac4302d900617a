"""Count what matters in a block of lines, in a few vectorised passes over its bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

_NEWLINE, _QUOTE, _COLON, _LESS, _BACKSLASH, _SPACE = 10, 34, 58, 60, 92, 32
_OPEN, _CLOSE = 123, 125
_SPACED_KEY = re.compile(rb'(?<!\\)"\s+:')


@dataclass(frozen=True, slots=True)
class BlockScan:
    r"""What was counted in a block.

    Attributes:
        num_lines: Lines, the last one included even if it lacks its line end.
        is_regular: Whether every line begins with ``{`` and ends with ``}``. A parser that then finds as many
            values as there are lines has found one value in each: inside a value, no ``}`` is followed by ``{``.
        num_keys: How often ``":`` occurs behind anything but a backslash: once per key, where no key is spaced.
        num_less: How often ``<`` occurs.
        has_spaced_key: Whether white space stands between a quote and a colon anywhere.
        has_escaped_less: Whether an escape such as ``\u003c`` may spell a ``<``.
    """

    num_lines: int
    is_regular: bool
    num_keys: int
    num_less: int
    has_spaced_key: bool
    has_escaped_less: bool

    def agrees(self, num_keys: int, num_tags: int) -> bool:
        """Whether the block holds just the keys and tags that its rows account for."""
        is_countable = not (self.has_spaced_key or self.has_escaped_less)
        return is_countable and self.num_keys == num_keys and self.num_less == num_tags


def scan_block(text: bytes) -> BlockScan:
    """Return the counts of some lines; ``text`` holds at least one byte."""
    codes = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(codes == _NEWLINE)
    ends_whole = codes[-1] == _NEWLINE
    inner = ends[:-1] if ends_whole else ends
    last = codes[-2] if ends_whole and len(codes) > 1 else codes[-1]
    is_regular = bool(
        codes[0] == _OPEN
        and last == _CLOSE
        and (codes[inner - 1] == _CLOSE).all()
        and (codes[inner + 1] == _OPEN).all()
    )
    colons = np.flatnonzero(codes[2:] == _COLON)  # as positions in ``codes[2:]``: none of a row's first two bytes
    before = codes[1:][colons]
    num_keys = int(np.count_nonzero((before == _QUOTE) & (codes[colons] != _BACKSLASH)))
    # A blank before a colon is rare, and only then worth a closer look.
    may_be_spaced = bool((before <= _SPACE).any())
    return BlockScan(
        num_lines=len(inner) + 1,
        is_regular=is_regular,
        num_keys=num_keys,
        num_less=int(np.count_nonzero(codes == _LESS)),
        has_spaced_key=may_be_spaced and has_spaced_key(text),
        has_escaped_less=bool((codes == _BACKSLASH).any()) and has_escaped_less(text),
    )


def count_keys(line: bytes) -> int:
    """Return ``num_keys`` of one line."""
    return line.count(b'":') - line.count(b'\\":')


def has_spaced_key(text: bytes) -> bool:
    """Whether white space stands between a quote and a colon anywhere."""
    return _SPACED_KEY.search(text) is not None


def has_escaped_less(text: bytes) -> bool:
    """Whether an escape may spell a ``<``."""
    return b"\\u003" in text
