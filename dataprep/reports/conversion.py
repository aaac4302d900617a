"""What a conversion made, or why it did not, for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dataprep.reports.text import shell_argument
from dataprep.reports.visible import plain
from dataprep.rules.table import RULES

if TYPE_CHECKING:
    from dataprep.conversion import BadRowsError
    from dataprep.shards.manifest import Manifest
    from dataprep.updating import Update


def _print(console: Console, text: str) -> None:
    """Print one line; nothing in it is taken for markup."""
    # No wrapping: a place that is cut in two can neither be clicked nor searched for.
    console.print(Text(text), soft_wrap=True)


def print_bad_rows(error: BadRowsError, console: Console) -> None:
    """Print why rows are bad, as a table, and the options that accept the loss."""
    table = Table("code", "rows", "rule", "first of them", title="bad rows", title_justify="left")
    for code, (count, text) in sorted(error.reasons.items(), key=lambda item: -item[1][0]):
        table.add_row(code, f"{count:,}", RULES[code].name, Text(plain(text)))
    console.print(table)


def print_conversion(manifest: Manifest, out: str, console: Console) -> None:
    """Print what a conversion made."""
    ledger = manifest.ledger
    _print(
        console,
        f"{ledger.rows_in:,} rows in = {ledger.converted:,} converted + {ledger.repaired:,} repaired + "
        f"{ledger.rejected:,} rejected + {ledger.duplicate:,} duplicate"
        + (f" + {ledger.unsampled:,} unsampled" if ledger.unsampled else ""),
    )
    table = Table("split", "rows", "tokens", "trained", "tiles", "shards")
    for name, split in manifest.splits.items():
        numbers = (split.rows, split.tokens, split.trained_tokens, split.tiles, split.shards)
        table.add_row(Text(name), *(f"{number:,}" for number in numbers))
    console.print(table)
    if ledger.repaired:
        _print(console, f"repaired rows, with what was done: {plain(out)}/repairs.jsonl")
    if ledger.rejected:
        _print(console, f"rejected rows, with their findings: {plain(out)}/rejects.jsonl")
    _print(console, f"Next: dataprep train {shell_argument(out)} --model DIR --out runs/a")


def print_update(update: Update, out: str, console: Console) -> None:
    """Print what bringing shards up to date came to."""
    if update.is_unchanged:
        _print(console, f"{plain(out)} is up to date: none of its {update.manifest.ledger.rows_in:,} rows has changed")
        return
    if update.reason:
        _print(console, f"no row could be taken over, because {plain(update.reason)}")
    _print(console, _taken_words(update))
    print_conversion(update.manifest, out, console)


def _taken_words(update: Update) -> str:
    rows_in = update.manifest.ledger.rows_in
    words = f"{update.num_taken:,} of {rows_in:,} rows taken over, {update.num_encoded:,} encoded"
    rest = rows_in - update.num_taken - update.num_encoded
    return words + (f", {rest:,} neither (rejected before that, or not drawn)" if rest else "")


def update_object(update: Update) -> dict[str, Any]:
    """Return what bringing shards up to date came to as JSON-ready values."""
    return {
        "up_to_date": update.is_unchanged,
        "taken_over": update.num_taken,
        "encoded": update.num_encoded,
        "manifest": json.loads(update.manifest.to_json()),
    }
