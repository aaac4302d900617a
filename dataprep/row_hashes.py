"""Give findings about rows, made when all rows had gone by, the hashes of their rows.

Rules about whole data sets remember numbers, not rows. A baseline and a fingerprint need the hash of the row, so the
rows that such findings name are read again: rarely many, and in one pass over the file for every 50,000 findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from dataprep.findings import Finding
from dataprep.parsing import parse_row
from dataprep.records import hash_row, hash_text
from dataprep.sources import RawRow, read_rows

MOST_AT_ONCE = 50_000


def hash_raw(raw: RawRow) -> bytes:
    """Return the hash of a row, whether it can be parsed or not."""
    value, _ = parse_row(raw)
    return hash_row(value) if value is not None else hash_text(raw.text)


def with_row_hashes(groups: Iterable[list[Finding]]) -> Iterator[list[Finding]]:
    """Yield groups of findings with the hashes of the rows that they name.

    Findings about files, and about rows of what can be read only once, stay as they are.

    Raises:
        SourceError: If a file cannot be read any more.
    """
    groups = iter(groups)
    while batch := list(islice(groups, MOST_AT_ONCE)):
        wanted: dict[str, set[int]] = {}
        for finding in (finding for group in batch for finding in group):
            if finding.location.line and not finding.row_hash and Path(finding.location.path).is_file():
                wanted.setdefault(finding.location.path, set()).add(finding.location.line)
        hashes = {place: found for path, lines in wanted.items() for place, found in _read_hashes(path, lines)}
        for group in batch:
            yield [replace(f, row_hash=hashes.get((f.location.path, f.location.line), f.row_hash)) for f in group]


def _read_hashes(path: str, lines: set[int]) -> Iterator[tuple[tuple[str, int], bytes]]:
    left = len(lines)
    for raw in read_rows(path):
        if raw.location.line in lines:
            yield (path, raw.location.line), hash_raw(raw)
            left -= 1
            if not left:
                return
