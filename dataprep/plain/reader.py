"""Plain rows on their way to conversion: the checked rows that the rules would have made of them, without the rules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from dataprep.blocks import Block
from dataprep.media.index import MediaFacts
from dataprep.plain.checker import PlainChecker
from dataprep.plain.checks import COVERED, RISKY, are_boxes_inside, are_declared, objects_of
from dataprep.plain.records import record_of, sources_of
from dataprep.records import ANNOTATION, GroundedObject, hash_row
from dataprep.rules.base import CheckedRow, Level, Rule
from dataprep.rules.runner import UP_TO_MEDIA, RowChecker
from dataprep.rules.table import RULES
from dataprep.sources import RawRow

# Numbers that msgspec and json do not read or write alike: minus zero, and what is no 64-bit number.
_ODD_NUMBER = re.compile(rb"-0|[0-9]{16}")
Glance: TypeAlias = tuple[str, Any, Any, list[MediaFacts], bytes]
"""Format, typed row, row, facts of the images and hash of a plain row."""
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class _Values:
    """Parses rows that are known to be sound; tells whether one held a fraction."""

    def __init__(self) -> None:
        self.has_fraction = False
        self.decode = msgspec.json.Decoder(float_hook=self._note).decode

    def _note(self, digits: str) -> float:
        self.has_fraction = True
        return float(digits)


def make_reader(path: str, checker: RowChecker) -> PlainReader | None:
    """Return a reader for a data file; None if some rule up to the level of media might speak about a plain row."""
    return PlainReader(path, checker) if is_covered_for_plain(checker) else None


def is_covered_for_plain(checker: RowChecker) -> bool:
    """Whether a checker goes up to the level of media, and none of its rules up to there may speak of a plain row."""
    rules = [code for code in checker.severities if issubclass(RULES[code], Rule) and RULES[code].level in UP_TO_MEDIA]
    if not all(code in COVERED for code in rules) or not checker.levels >= UP_TO_MEDIA:
        return False
    return Level.PIXELS not in checker.levels


class PlainReader(PlainChecker):
    """Reads the plain rows of a data file."""

    def __init__(self, path: str, checker: RowChecker) -> None:
        """Begin a data file; see :func:`make_reader`."""
        super().__init__(path, checker)
        self._values = _Values()
        # Tokens that the conditions of plain rows do not keep out, such as [CLS].
        odd = [token for token in checker.context.special_tokens if not RISKY.match(token.encode())]
        self._odd_tokens = re.compile("|".join(map(re.escape, odd)).encode()) if odd else None

    def read(self, raws: Sequence[RawRow]) -> list[CheckedRow | None]:
        """Return each row that is plain, taken up to the level of media; None for one that the rules must look at."""
        glances = self.glance(raws)
        return [None if g is None else self.complete(raw, g) for raw, g in zip(raws, glances, strict=True)]

    def glance(self, raws: Sequence[RawRow]) -> list[Glance | None]:
        """Return what a look at each plain row tells; None for a row that the rules must look at."""
        text = b"\n".join(raw.text for raw in raws)
        is_odd = any(raw.starts_with_bom or raw.is_unclosed or raw.is_too_long or raw.foreign for raw in raws)
        if is_odd or text.count(b"\n") != len(raws) - 1:
            return [None] * len(raws)
        rows = self._acceptor.accept(Block(raws[0].location, text)).rows
        odd_number = _ODD_NUMBER if _ODD_NUMBER.search(text) else None
        if ANNOTATION.encode() in text:
            odd_number = re.compile(b"")
        pairs = zip(raws, rows, strict=True)
        return [None if row is None else self._glance(raw, row, odd_number) for raw, row in pairs]

    def _glance(self, raw: RawRow, row: Any, odd_number: re.Pattern[bytes] | None) -> Glance | None:
        text = raw.text
        if self._odd_tokens is not None and (b"\\u" in text or self._odd_tokens.search(text)):
            return None
        if odd_number is not None and odd_number.search(text):
            return None
        row_format = self._acceptor.format_of(row)
        known = [self._images.get(source) or self._look_up(source) for source in sources_of(row_format, row)]
        sizes = [size for _, size, _ in known if size is not None]
        if len(sizes) < len(known) or type(row.objects) is str:
            return None
        if row.objects and not are_boxes_inside(objects_of(row.objects) or [], sizes):
            return None
        if not are_declared(row, sizes):
            return None
        values = self._values
        values.has_fraction = False
        value = values.decode(text)
        row_hash = hash_row(value) if values.has_fraction else _hash_whole(value)
        return row_format, row, value, [facts for facts, _, _ in known], row_hash

    def complete(self, raw: RawRow, glance: Glance) -> CheckedRow:
        """Return a plain row, taken up to the level of media."""
        row_format, row, value, images, row_hash = glance
        record = record_of(row_format, row, raw.location, objects=_objects_of(value.get("objects")))
        return CheckedRow(raw, value=value, record=record, images=images, row_hash=row_hash)


def _hash_whole(value: Any) -> bytes:
    """Return what ``hash_row`` does, of a row without fractions, in compiled code."""
    return hashlib.blake2b(_encode_sorted(value), digest_size=16).digest()


def _objects_of(entries: Any) -> tuple[GroundedObject, ...] | None:
    """Return the objects with their numbers as written: whole ones stay whole."""
    if entries is None:
        return None
    return tuple(
        GroundedObject(e.get("caption"), (tuple(e["bbox"]),), e["bbox_type"], int(e["image"]), f"objects[{index}]")
        for index, e in enumerate(entries)
    )
