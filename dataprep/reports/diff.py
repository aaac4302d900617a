"""What a diff found, for people and as JSON-ready values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from dataprep.diffing import Diff
from dataprep.reports.visible import plain


def diff_object(found: Diff) -> dict[str, Any]:
    """Return the whole diff as JSON-ready values."""
    return {
        "same": found.is_empty,
        "totals": [asdict(totals) for totals in found.totals],
        "num_same": found.num_same,
        "added": found.added.to_dicts(),
        "removed": found.removed.to_dicts(),
        "changed": found.changed.to_dicts(),
        "moved": found.moved.to_dicts(),
        "encoded": found.encoded.to_dicts(),
        "captions": {caption: list(counts) for caption, counts in found.captions.items()},
        "settings": {name: list(values) for name, values in found.settings.items()},
    }


def diff_lines(found: Diff, *, limit: int) -> Iterator[str]:
    """Yield the diff, one line after another.

    Args:
        found: The diff.
        limit: Most rows of a kind, and most captions, to show; 0 for all.
    """
    yield from _total_lines(found)
    for name, (a, b) in found.settings.items():
        yield f"{name}: {plain(_short(a))} -> {plain(_short(b))}"
    tables = (
        ("removed", found.removed, _removed),
        ("added", found.added, _added),
        ("changed", found.changed, _changed),
        ("with another outcome or split", found.moved, _moved),
        ("encoded otherwise", found.encoded, _encoded),
    )
    for title, table, line in tables:
        shown = table.head(limit) if limit else table
        yield from map(line, shown.iter_rows(named=True))
        if len(shown) < len(table):
            yield f"... and {len(table) - len(shown):,} more rows {title}; --limit 0 shows all"
    captions = list(found.captions.items())
    shown_captions = captions[:limit] if limit else captions
    for caption, (a, b) in shown_captions:
        yield f"objects {plain(repr(caption))}: {_step(a, b)}"
    if len(shown_captions) < len(captions):
        yield f"... and {len(captions) - len(shown_captions):,} more captions; --limit 0 shows all"


def _total_lines(found: Diff) -> Iterator[str]:
    a, b = found.totals
    counts = f"{found.num_same:,} the same, {len(found.changed):,} changed"
    yield f"rows: {_step(a.rows, b.rows)}; {counts}, {len(found.added):,} added, {len(found.removed):,} removed"
    for name in ("samples", "tokens", "trained_tokens"):
        before, after = getattr(a, name), getattr(b, name)
        if before is not None and after is not None:
            yield f"{name.replace('_', ' ')}: {_step(before, after)}"


def _step(a: int, b: int) -> str:
    return f"{a:,} -> {b:,} ({b - a:+,})"


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, str) and value else repr(value)
    # A fingerprint: enough of it to see that it is another one.
    return f"{text[:12]}..." if len(text) == 64 and " " not in text else text


def _place(row: dict[str, Any], side: str = "") -> str:
    return f"{plain(row[f'file{side}'])}:{row[f'line{side}']}"


def _tokens(row: dict[str, Any]) -> str:
    return "" if row["tokens"] is None else f": {row['tokens']:,} tokens"


def _removed(row: dict[str, Any]) -> str:
    return f"- {_place(row)}{_tokens(row)}"


def _added(row: dict[str, Any]) -> str:
    return f"+ {_place(row)}{_tokens(row)}"


def _changed(row: dict[str, Any]) -> str:
    a, b = _place(row), _place(row, "_b")
    before, after = row["tokens"], row["tokens_b"]
    tokens = "" if before is None or after is None else f": {_step(before, after)} tokens"
    return f"~ {a}{tokens}" if a == b else f"~ {a} -> {b}{tokens}"


def _moved(row: dict[str, Any]) -> str:
    before, after = (" ".join(filter(None, (row[f"outcome{side}"], row[f"split{side}"]))) for side in ("", "_b"))
    return f"> {_place(row)}: {plain(before)} -> {plain(after)}"


def _encoded(row: dict[str, Any]) -> str:
    before, after = (
        f"{row[f'tokens{side}'] or 0:,} tokens, {row[f'trained{side}'] or 0:,} trained" for side in ("", "_b")
    )
    return f"= {_place(row)}: {before} -> {after}"
