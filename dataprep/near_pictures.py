"""Find a near perceptual hash among those seen so far, one at a time, without comparing with all of them.

Two hashes of 64 bits that differ in at most 6 bits agree in at least two of 8 bytes: each hash is kept under every
pair of its bytes, and only hashes with a pair in common are compared.
"""

from __future__ import annotations

from array import array
from itertools import combinations

from dataprep.leakage import MOST_DISTANT

_BYTES = 8
assert _BYTES - MOST_DISTANT >= 2
_PAIRS = tuple((8 * one, 8 * other) for one, other in combinations(range(_BYTES), 2))


class NearPictures:
    """A set of perceptual hashes that can be asked for a near one."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._groups: tuple[dict[int, array[int]], ...] = tuple({} for _ in _PAIRS)

    def add(self, picture: int) -> None:
        """Take in a hash, 0 <= picture < 2**64."""
        if picture in self._hashes:
            return
        self._hashes.add(picture)
        for groups, key in zip(self._groups, _keys(picture), strict=True):
            group = groups.get(key)
            if group is None:
                groups[key] = array("Q", (picture,))
            else:
                group.append(picture)

    def has_near(self, picture: int) -> bool:
        """Whether a hash in the set differs in at most ``MOST_DISTANT`` bits."""
        if picture in self._hashes:
            return True
        for groups, key in zip(self._groups, _keys(picture), strict=True):
            for other in groups.get(key, ()):
                if (picture ^ other).bit_count() <= MOST_DISTANT:
                    return True
        return False


def _keys(picture: int) -> list[int]:
    return [(picture >> one & 0xFF) << 8 | (picture >> other & 0xFF) for one, other in _PAIRS]
