"""What a conversion made, or why it did not, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dataprep.reports.text import shell_argument
from dataprep.reports.visible import plain
from dataprep.rules.table import RULES

if TYPE_CHECKING:
    from dataprep.conversion import BadRowsError
    from dataprep.shards.manifest import Manifest


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
    if ledger.rejected:
        _print(console, f"rejected rows, with their findings: {plain(out)}/rejects.jsonl")
    _print(console, f"Next: dataprep train {shell_argument(out)} --model DIR --out runs/a")
