"""Name the rows that are too long where ``--truncation error`` lets none through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from dataprep.errors import LongRowsError
from dataprep.parts import Part

TOO_LONG = "L601"
_MOST_NAMED = 20


def refuse_long_rows(folder: Path, parts: Sequence[Part], max_length: int) -> NoReturn:
    """Raise an error that names the rows of some parts that are too long.

    Args:
        folder: Where the parts' files are.
        parts: The parts; at least one has such a row.
        max_length: The limit that they exceed.

    Raises:
        LongRowsError: Always.
    """
    long = [part for part in parts if TOO_LONG in part.examples]
    count = sum(part.examples[TOO_LONG][0] for part in long)
    named: list[str] = []
    for part in long:
        named += _places(folder / f"{part.name}.rejects")
        if len(named) >= _MOST_NAMED:
            break
    shown = ", ".join(named[:_MOST_NAMED]) + (f" and {count - _MOST_NAMED:,} more" if count > _MOST_NAMED else "")
    rows = "1 row has" if count == 1 else f"{count:,} rows have"
    raise LongRowsError(
        f"{rows} more than --max-length {max_length} tokens: {shown}; raise it, mend them, or choose another "
        "--truncation than error"
    )


def _places(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if any(finding["code"] == TOO_LONG for finding in row["findings"]):
                yield f"{row['source_file']}:{row['source_line']}"
