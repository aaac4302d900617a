"""``repairs.jsonl``: what was done to rows that were made shorter, one JSON object a line, in the order of the ledger.

The file is there only if a row was. Rows that a fix repaired are not in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from dataprep.errors import ShardFormatError
from dataprep.shards.atomic import atomic_file
from dataprep.shards.format import REPAIRS_NAME
from dataprep.shards.storage import Place
from dataprep.shards.writer import ShardFile

SHORTENED = "L607"
"""The code of rows that were made shorter: of repaired rows, those are listed."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done to one row.

    Attributes:
        source_file: Path relative to the manifest's source root.
        source_line: 1-based line in it.
        row_hash: 32 hexadecimal digits, as in the ledger.
        code: Code of the rule that says so.
        policy: The option's value that asked for it.
        tokens_before: Length of the row as it is.
        tokens_after: Length of the sample.
        message: The finding, in words.
    """

    source_file: str
    source_line: int
    row_hash: str
    code: str
    policy: str
    tokens_before: int
    tokens_after: int
    message: str


def write_repairs(path: Place, repairs: Iterable[Repair], *, is_durable: bool = True) -> ShardFile:
    """Write repairs atomically.

    Args:
        path: Where to; the folder must exist.
        repairs: In the order of the ledger; consumed as a stream.
        is_durable: Whether it must survive a loss of power.

    Raises:
        ShardError: When the system refuses to write.
    """
    rows = 0
    with atomic_file(path, is_durable=is_durable) as file:
        for repair in repairs:
            line = json.dumps(asdict(repair), ensure_ascii=False, separators=(",", ":"))
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")
            rows += 1
        return ShardFile(file=path.name, rows=rows, bytes=file.bytes_written, sha256=file.sha256)


def read_repairs(path: Place) -> Iterator[Repair]:
    """Yield the repairs of a file.

    Raises:
        ShardFormatError: If a line is not a repair; names it.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                repair = Repair(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ShardFormatError(f"{path}: line {number} is not a repaired row ({error})") from error
            yield repair


def check_repairs(directory: Place, repaired: Sequence[tuple[str, int, bytes]]) -> list[str]:
    """Hold the repairs against the repaired rows of the ledger, in its order; returns the problems."""
    try:
        found = [
            (r.source_file, r.source_line, bytes.fromhex(r.row_hash)) for r in read_repairs(directory / REPAIRS_NAME)
        ]
    except (ShardFormatError, ValueError) as error:
        return [str(error).removeprefix(f"{directory}/")]
    if len(found) != len(repaired):
        return [f"{REPAIRS_NAME}: {len(found):,} rows, {len(repaired):,} of the ledger were made shorter"]
    for number, (mine, theirs) in enumerate(zip(found, repaired, strict=True), start=1):
        if mine != theirs:
            return [f"{REPAIRS_NAME}: line {number} is {mine[0]}:{mine[1]}, the ledger says {theirs[0]}:{theirs[1]}"]
    return []
