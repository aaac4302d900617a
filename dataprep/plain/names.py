"""Captions as rules compare them: without white space around them and without case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

_MOST_CAPTIONS = 50_000
NO_NAMES = frozenset(("", msgspec.UNSET))


class _NormalCaptions(dict[Any, Any]):
    """Captions as rules compare them, remembered: labels come again and again."""

    def __missing__(self, caption: Any) -> Any:
        if len(self) >= _MOST_CAPTIONS:
            self.clear()
        self[caption] = caption if caption is msgspec.UNSET else caption.strip().casefold()
        return self[caption]


NORMAL = _NormalCaptions()


def are_normal(captions: Iterable[str]) -> bool:
    """Whether captions that differ also differ for the rules, and none is blank; each is given once."""
    captions = list(captions)
    names = set(map(NORMAL.__getitem__, captions))
    return len(names) == len(captions) and names.isdisjoint(NO_NAMES)
