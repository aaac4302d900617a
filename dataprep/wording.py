"""Words that messages share."""

from __future__ import annotations


def counted(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a number with its noun: ``1 row``, ``1,234 rows``.

    Args:
        number: How many there are.
        noun: The noun in the singular.
        nouns: Its plural; None for one that takes an s.
    """
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
