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


def size_of(num_bytes: int) -> str:
    """Return a number of bytes in the unit that fits it: ``999 bytes``, ``1.2 GB``; a kilobyte is 1,000 bytes."""
    size, unit = float(num_bytes), "bytes"
    for larger in ("KB", "MB", "GB", "TB"):
        if size < 999.95:
            break
        size, unit = size / 1000, larger
    return counted(num_bytes, "byte") if unit == "bytes" else f"{size:,.1f} {unit}"
