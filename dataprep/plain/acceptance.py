"""Split a block of lines into rows that are beyond doubt and rows that the rules must look at.

A line is accepted if a parser finds a plain shape in it (:mod:`dataprep.plain.shapes`), its content is plain
(:mod:`dataprep.plain.checks`), and its bytes hold no more keys and no more ``<`` than that row accounts for: so no key
occurs twice, and no text holds a tag where none belongs. The counts are compared for the whole block first, and line
by line only where they differ.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec

from dataprep.blocks import Block
from dataprep.plain.checks import RISKY, PlainChecks, refuse_blank
from dataprep.plain.scan import BlockScan, count_keys, has_escaped_less, has_spaced_key, scan_block
from dataprep.plain.shapes import Shape, Tally, is_possible, make_shape
from dataprep.sources import RawRow

_MOST_LEARNT = 64
_parse_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NOT_PLAIN = (msgspec.MsgspecError, UnicodeError, RecursionError)


@dataclass(slots=True)
class Accepted:
    """What was made of a block.

    Attributes:
        text: Its lines.
        rows: The parsed row of each line that is beyond doubt; None for one that the rules must look at.
        kinds: How many of them are of each type.
    """

    text: bytes
    rows: list[Any]
    kinds: Mapping[type, int]

    @property
    def lines(self) -> list[bytes]:
        """The lines, without line ends."""
        return _split_lines(self.text)


class Acceptor:
    """Learns the shapes of a data file's rows and accepts those that are plain."""

    def __init__(self, checks: PlainChecks, find_format: Callable[[bytes], str | None]) -> None:
        """Begin without any shape.

        Args:
            checks: Checks the content of rows.
            find_format: Takes a line through the rules; returns its row format if none has spoken, else None.
        """
        self._checks = checks
        self._find_format = find_format
        self._shapes: dict[str, Shape] = {}
        self._met: set[frozenset[str]] = set()
        self._shape_of: dict[type, Shape] = {}

    def format_of(self, row: Any) -> str:
        """Return the format of an accepted row."""
        return self._shape_of[type(row)].row_format

    def format_of_type(self, row_type: type) -> str:
        """Return the format of accepted rows of a type."""
        return self._shape_of[row_type].row_format

    def accept(self, block: Block) -> Accepted:
        """Parse a block and tell which of its rows are plain."""
        with without_collections():
            return self._split(block.text, scan_block(block.text), has_bom=block.starts_with_bom)

    def accept_rows(self, raws: Sequence[RawRow]) -> list[Any]:
        """Return the parsed row of each row that is plain, None for one that the rules must look at."""
        with without_collections():
            texts = [raw.text for raw in raws]
            rows = [self._parse_line(text) for text in texts]
            self._check_each(rows, texts)
            for index, raw in enumerate(raws):
                if raw.starts_with_bom or raw.is_unclosed or raw.is_too_long or raw.foreign:
                    rows[index] = None
            return rows

    def _split(self, text: bytes, scan: BlockScan, *, has_bom: bool) -> Accepted:
        rows = self._parse_block(text, scan)
        if rows is None:
            rows = [self._parse_line(line) for line in _split_lines(text)]
            kinds = set(map(type, rows))
        else:
            kinds = {type(rows[0])}
        self._check(rows, kinds, text, scan)
        if has_bom:
            rows[0] = None
        is_alike = len(kinds) == 1 and all(rows)  # a parsed row is always true
        return Accepted(text, rows, {kinds.pop(): len(rows)} if is_alike else Counter(map(type, rows)))

    def _parse_block(self, text: bytes, scan: BlockScan) -> list[Any] | None:
        if not scan.is_regular or len(self._shapes) != 1:
            return None
        (shape,) = self._shapes.values()
        try:
            rows = shape.decode_lines(text)
        except _NOT_PLAIN:
            return None
        return rows if len(rows) == scan.num_lines else None

    def _parse_line(self, line: bytes) -> Any:
        for shape in self._shapes.values():
            try:
                return shape.decode(line)
            except _NOT_PLAIN:
                continue
        learnt = self._learn(line)
        try:
            return None if learnt is None else learnt.decode(line)
        except _NOT_PLAIN:
            return None

    def _learn(self, line: bytes) -> Shape | None:
        """Return a shape that allows the keys of a line, if they are new and the rules pass it."""
        try:
            keys = tuple(_parse_keys(line))
        except _NOT_PLAIN:
            return None
        if frozenset(keys) in self._met or len(self._met) >= _MOST_LEARNT:
            return None
        row_format = self._find_format(line)
        if row_format is None:
            return None  # another row with these keys may be fine
        self._met.add(frozenset(keys))
        if not is_possible(row_format, keys):
            return None
        known = self._shapes.get(row_format)
        shape = known.widened(keys) if known is not None else make_shape(row_format, keys)
        self._shapes[row_format] = shape
        self._shape_of[shape.row_type] = shape
        return shape

    def _check(self, rows: list[Any], kinds: set[type], text: bytes, scan: BlockScan) -> None:
        """Replace rows that are not plain by None; ``kinds`` are their types."""
        if len(kinds) == 1 and (shape := self._shape_of.get(next(iter(kinds)))) is not None:
            num_keys, num_tags = self._account(shape, rows)
            # Every row leaves at least in the bytes what is accounted for: equal sums are equal for each.
            if scan.agrees(num_keys, num_tags):
                return
        self._check_each(rows, _split_lines(text))

    def _check_each(self, rows: list[Any], lines: Sequence[bytes]) -> None:
        for index, row in enumerate(rows):
            if row is not None:
                alone = [row]
                tally = self._account(self._shape_of[type(row)], alone)
                if alone[0] is None or not _agrees(lines[index], tally):
                    rows[index] = None

    def _account(self, shape: Shape, rows: list[Any]) -> Tally:
        """Replace rows that are not plain by None, and return what all of them account for at least."""
        if shape.is_text_only:
            num_keys, num_tags = refuse_blank(shape.row_format, rows)
        else:
            num_keys, num_tags = self._checks.check_all(shape, rows)
        num_keys += len(shape.required) * len(rows)
        unset = msgspec.UNSET
        for name in shape.names:
            value_of = attrgetter(name)
            num_keys += sum([row is not None and value_of(row) is not unset for row in rows])
        return num_keys, num_tags


@contextmanager
def without_collections() -> Iterator[None]:
    """Let no garbage be collected: nothing here makes a cycle, and collections would take a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _split_lines(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _agrees(line: bytes, tally: Tally) -> bool:
    num_keys, num_tags = tally
    if count_keys(line) != num_keys or has_spaced_key(line) or has_escaped_less(line):
        return False
    return line.count(b"<") == num_tags or sum(1 for _ in RISKY.finditer(line)) == num_tags
