"""Check the blocks of one data file: plain rows are accepted as they are, the others go through the rules."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from dataprep.blocks import Block
from dataprep.errors import RuleCrash
from dataprep.findings import Finding, Location
from dataprep.media.index import MediaFacts
from dataprep.plain.acceptance import Acceptor
from dataprep.plain.checks import COVERED, COVERED_PIXELS, PlainChecks, Size, are_boxes_inside, are_declared, objects_of
from dataprep.plain.media import plain_size
from dataprep.plain.records import answer_of, record_of, sources_of, texts_of
from dataprep.records import MediaRef
from dataprep.rules.base import CheckedRow, Level, Rule
from dataprep.rules.facts import FactCollector
from dataprep.rules.runner import RowChecker
from dataprep.rules.table import RULES
from dataprep.sources import RawRow
from dataprep.verdicts import ChunkVerdict, format_of, has_videos

if TYPE_CHECKING:
    from dataprep.media.pixels import PixelFacts

_BY_LINE = frozenset({Level.SHAPE, Level.TEXT})
_MOST_REMEMBERED = 10_000  # more cost more, in garbage collections, than probing anew
_MOST_TILES = 12


_Parsed: TypeAlias = tuple[int, int, bytes, Any]
"""Position in the chunk, line, text, and what the row was parsed into; None if the rules must look at it."""
_Known: TypeAlias = "tuple[MediaFacts, Size | None, PixelFacts | None]"


def is_covered(checker: RowChecker) -> bool:
    """Whether the conditions of plain rows stand for all rules that a checker runs."""
    if Level.TOKENS in checker.levels:
        return False
    codes = [code for code in checker.severities if issubclass(RULES[code], Rule)]
    return all(code in COVERED | COVERED_PIXELS for code in codes if RULES[code].level in checker.levels)


class PlainChecker:
    """Checks blocks; remembers the shapes of the rows and what is known of their images."""

    def __init__(self, path: str, checker: RowChecker) -> None:
        """Begin a data file.

        Args:
            path: The data file.
            checker: Takes rows through the rules; all of them must be covered.
        """
        self._path = path
        self._checker = checker
        # Whether the keys of a row are fine is said by the rules that see no further than the row.
        self._by_line = RowChecker(
            checker.context, media=checker.media, levels=checker.levels & _BY_LINE, severities=checker.severities
        )
        model = checker.context.model_type
        checks = PlainChecks(joins_images=model is not None and not model.has_separate_images)
        self._acceptor = Acceptor(checks, self._find_format)
        self._most_aspect = min(_MOST_TILES, model.max_num) if model is not None else _MOST_TILES
        self._has_media = Level.MEDIA in checker.levels
        self._wants_media = self._wants_records = True
        self._has_pixels = Level.PIXELS in checker.levels
        self._images: dict[str, _Known] = {}

    def check(self, block: Block, collector: FactCollector) -> ChunkVerdict:
        """Check a block; ``collector`` is to be given all of its rows."""
        accepted = self._acceptor.accept(block)
        rows = accepted.rows
        formats = self._count_formats(accepted.kinds)
        if None not in formats and not self._has_media and not collector.wants_texts:
            return ChunkVerdict(self._path, len(rows), formats, [], collector.finish())
        lines, first = accepted.lines, block.location.line
        last = -1 if block.text.endswith(b"\n") else len(lines) - 1

        def make_raw(index: int) -> RawRow:
            return block.row(index, lines[index], ends_file=index == last)

        parsed = (
            (index, first + index, line.rstrip(b"\r"), row)
            for index, (line, row) in enumerate(zip(lines, rows, strict=True))
            if row is not None or line.strip()  # a blank line is no row
        )
        return self._check_all(parsed, make_raw, formats, collector)

    def check_rows(self, raws: Sequence[RawRow], collector: FactCollector) -> ChunkVerdict:
        """Check rows that were cut out of an array."""
        rows = self._acceptor.accept_rows(raws)
        pairs = enumerate(zip(raws, rows, strict=True))
        parsed = ((index, raw.location.line, raw.text, row) for index, (raw, row) in pairs)
        return self._check_all(parsed, raws.__getitem__, self._count_formats(Counter(map(type, rows))), collector)

    def _check_all(
        self,
        parsed: Iterable[_Parsed],
        make_raw: Callable[[int], RawRow],
        formats: dict[Any, int],
        collector: FactCollector,
    ) -> ChunkVerdict:
        """Take the rows without a plain form through the rules, and all to the collector."""
        self._wants_media, self._wants_records = collector.wants_media, collector.wants_records
        formats.pop(None, None)
        found: list[tuple[int, list[Finding]]] = []
        number, any_videos = 0, False  # plain rows have none
        was_enabled = gc.isenabled()
        gc.disable()  # sound rows make no cycles, and collections would take a third of the time
        try:
            for entry in parsed:
                if entry[3] is None or not self._take(entry, make_raw, collector):
                    checked = self._check_closely(make_raw(entry[0]), entry[3], formats, collector)
                    any_videos = any_videos or has_videos(checked)
                    if checked.findings:
                        found.append((number, checked.findings))
                number += 1
            facts = collector.finish()
        finally:
            if was_enabled:
                gc.enable()
        formats = {name: count for name, count in formats.items() if count}
        return ChunkVerdict(self._path, number, formats, found, facts, any_videos)

    def _check_closely(self, raw: RawRow, row: Any, formats: dict[Any, int], collector: FactCollector) -> CheckedRow:
        checked = self._checker.check(raw)
        collector.add(checked)
        name = format_of(checked)
        formats[name] = formats.get(name, 0) + 1
        if row is not None:
            formats[self._acceptor.format_of(row)] -= 1
        return checked

    def _count_formats(self, kinds: Mapping[type, int]) -> dict[Any, int]:
        counts: dict[Any, int] = {}
        for kind, count in kinds.items():
            name = None if kind is type(None) else self._acceptor.format_of_type(kind)
            counts[name] = counts.get(name, 0) + count
        return counts

    def _take(self, parsed: _Parsed, make_raw: Callable[[int], RawRow], collector: FactCollector) -> bool:
        """Hand the facts of an accepted row on; return whether its media are plain, too."""
        index, number, text, row = parsed
        row_format = self._acceptor.format_of(row)
        sources = sources_of(row_format, row)
        entries = objects_of(row.objects) or [] if row.objects else []
        if not sources and not row.objects:
            collector.add_plain(number, text, answer_of(row_format, row))
            return True
        images: list[MediaFacts] = []
        pixels: list[PixelFacts] = []
        if self._has_media:
            sizes: list[Size] = []
            for source in sources:
                facts, size, seen = self._images.get(source) or self._look_up(source)
                if size is None:
                    return False
                images.append(facts)
                sizes.append(size)
                if seen is not None:
                    pixels.append(seen)
            if entries and not are_boxes_inside(entries, sizes):
                return False
            if not are_declared(row, sizes):
                return False
        if self._wants_media:
            raw = make_raw(index)
            record = record_of(row_format, row, raw.location)
            collector.add(CheckedRow(raw, record=record, images=images, pixels=pixels))
        elif self._wants_records:
            collector.add_sound(number, text, *texts_of(row_format, row), entries, images)
        else:
            collector.add_texts([number], [text])
        return True

    def _look_up(self, source: str) -> _Known:
        """Return the facts of an image, its size if it is plain, and at the level of pixels what decoding showed."""
        if len(self._images) >= _MOST_REMEMBERED:
            self._images.clear()
        facts = self._checker.media.find(MediaRef("image", source.strip(), "images"))
        size, seen = plain_size(facts, most_aspect=self._most_aspect), None
        if self._has_pixels and size is not None:
            seen = self._checker.media.read_pixels(facts)
            if seen.error is not None:
                size = None
        known = facts, size, seen
        if facts.data is None:  # inline bytes are not kept
            self._images[source] = known
        return known

    def _find_format(self, line: bytes) -> str | None:
        try:
            row = self._by_line.check(RawRow(Location(self._path, 1), line))
        except RuleCrash:  # comes again where the row goes through the rules, with its place
            return None
        return row.record.row_format if row.record is not None and not row.findings else None
