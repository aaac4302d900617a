"""Collect what the rules about whole data sets need to know of each row, in the worker that checks it.

At the levels 0 and 1 nothing is wanted. From level 2 on rows are given as :class:`CheckedRow`, or as what is known of a
row that was accepted without being made a record (:meth:`FactCollector.add_plain`, :meth:`FactCollector.add_sound`).
"""

from __future__ import annotations

import zlib
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import msgspec

from dataprep.corpus import (
    BBOX_TYPE_CODES,
    NO_RECORD,
    NO_SIDE,
    OTHER_BBOX_TYPE,
    Facts,
    Wanted,
)
from dataprep.grounding import BoxCodec
from dataprep.media.index import MediaFacts
from dataprep.records import Number
from dataprep.rules.base import CheckedRow, Level
from dataprep.rules.declared_split import side_of, text_without_split
from dataprep.rules.media_keys import file_key, file_key_and_size, hash_file, video_key
from dataprep.sources import RawRow
from dataprep.tags import BBOX, REF_OBJECT

_BOX_CODES = ("G412", "G413", "G414", "G415", "G419", "G420", "G421")
_LEAK_CODES = ("D504", "D505", "D506")
_to_model = BoxCodec().to_model
_SHOWN_CHARACTERS = 60
_LONGEST_NAME = 255
_MOST_ANSWERS_PER_CHUNK = 4
_NO_ANSWER = object()
_SEED_CHECK = hash("one hash seed for all processes") or 1

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


def wanted_facts(
    codes: Collection[str], levels: frozenset[Level], *, has_val: bool, draws_boxes: bool = False
) -> Wanted:
    """Return which facts the rules that run need.

    Args:
        codes: The rules that run on a file.
        levels: The rungs of the ladder that rows are taken to.
        has_val: Whether there is a validation split to hold the rows against.
        draws_boxes: Whether boxes are wanted for a picture, too.
    """
    has_media = Level.MEDIA in levels
    leaks = has_media and any(code in codes for code in _LEAK_CODES)
    return Wanted(
        rows=has_media and ("D501" in codes or "D503" in codes),
        answers=has_media and any(code in codes for code in ("D502", "C701", "C702")),
        labels=has_media and "C703" in codes,
        boxes=has_media and (draws_boxes or any(code in codes for code in _BOX_CODES)),
        media=leaks and has_val,
        declared_media=leaks and not has_val,
        content=leaks and Level.PIXELS in levels,
        lengths=Level.TOKENS in levels,
    )


class Entry(Protocol):
    """What is asked of an entry of ``objects``: of a record, or of a row that was accepted as it is."""

    @property
    def caption(self) -> str | msgspec.UnsetType | None:
        """Its referring text; UNSET or None where it has none."""

    @property
    def boxes(self) -> Sequence[Sequence[Number]]:
        """Its boxes."""

    @property
    def bbox_type(self) -> str:
        """Their coordinates."""

    @property
    def image(self) -> int:
        """Index of its image."""


def _whole_text(raw: RawRow) -> bytes:
    """Return what makes a row the same as another; rows of which only the beginning is known are all different."""
    return raw.text if not raw.is_too_long else str(raw.location).encode()


class FactCollector:
    """Fills the columns of one chunk; make a new one per chunk, add its rows, and hand on what it has at the end.

    Attributes:
        facts: What was collected so far.
    """

    def __init__(self, wanted: Wanted, *, root: Path) -> None:
        """Begin a chunk.

        Args:
            wanted: What to collect.
            root: The media root of the rows' file.
        """
        self.facts = Facts(seed_check=_SEED_CHECK)
        self._wanted = wanted
        self._root = str(root)
        # Rows are kept until the chunk is complete: columns are filled many times faster at once.
        self._lines: list[int] = []
        self._texts: list[bytes] = []
        self._sides: dict[int, int] = {}  # of the rows that declare one, by position
        self._conversations: list[tuple[int, object, int]] = []
        self._boxes: list[tuple[int, int, int, int, int, int, int]] = []
        self._box_numbers: list[Number] = []
        self._labels: list[str] = []

    @property
    def wants_texts(self) -> bool:
        """Whether anything is wanted at all."""
        return self._wanted.rows or self._wanted.records

    @property
    def wants_records(self) -> bool:
        """Whether anything is wanted that the texts of rows do not give."""
        return self._wanted.records

    @property
    def wants_media(self) -> bool:
        """Whether the identity of each image and video is wanted."""
        return self._wanted.media

    def add_texts(self, lines: Iterable[int], texts: Sequence[bytes]) -> None:
        """Add rows of which nothing but their texts is wanted (no ``wanted.records``)."""
        assert not self._wanted.records
        self._add_rows(lines, texts)

    def add_plain(self, line: int, text: bytes, answer: str) -> None:
        """Add a row that is known to have neither media nor objects; lengths are not collected."""
        self.add_plain_rows([line], [text], [answer])

    def add_plain_rows(self, lines: Iterable[int], texts: Sequence[bytes], answers: Sequence[str]) -> None:
        """Add rows that are known to have neither media nor objects, with their last answers; no lengths are taken."""
        assert not self._wanted.lengths
        self._add_rows(lines, texts)
        if self._wanted.answers:
            self._conversations += [(0, answer, 0) for answer in answers]

    def add_sound(
        self,
        line: int,
        text: bytes,
        texts: list[object],
        system: str | None,
        objects: Sequence[Entry],
        images: Sequence[MediaFacts],
    ) -> None:
        """Add a row with images or objects that no rule has anything to say about; no lengths or media are taken.

        Args:
            line: Its line.
            text: The row as found.
            texts: Its queries and answers in turn; the list is used up.
            system: Its system prompt.
            objects: Its objects.
            images: The facts of its images.
        """
        self._lines.append(line)
        self._texts.append(text)
        if self._wanted.answers:
            self._add_conversation(texts, system, objects, images)
        if objects:
            self._add_objects(line, objects, images)

    def add(self, row: CheckedRow) -> None:
        """Add a checked row."""
        line, record = row.raw.location.line, row.record
        side = self._add_text(row)
        if self._wanted.answers:
            if record is None:
                self._conversations.append((0, _NO_ANSWER, NO_RECORD))
            else:
                texts: list[object] = [text for turn in record.turns for text in (turn.query, turn.response)]
                media = [*row.images, *row.videos]
                self._add_conversation(texts, record.system, record.objects or (), media, record.captions)
        if record is None:
            return
        self._add_objects(line, record.objects or (), row.images)
        if self._wanted.media or (self._wanted.declared_media and side != NO_SIDE):
            for index, facts in enumerate((*row.images, *row.videos)):
                self._add_medium(line, facts, row, index, side)
        if self._wanted.lengths and row.num_tokens is not None:
            self._add_length(line, row)

    def add_all(self, rows: Sequence[CheckedRow]) -> Facts:
        """Add checked rows, and finish."""
        if self._wanted.records:
            for row in rows:
                self.add(row)
        else:
            for row in rows:
                self._add_text(row)
        return self.finish()

    def finish(self) -> Facts:
        """Return what was collected; the collector is not to be used again."""
        facts = self.facts
        facts.lines.extend(array("q", self._lines))
        sides = bytearray(len(self._lines))
        for position, side in self._sides.items():
            sides[position] = side
        facts.sides.extend(sides)
        if self._wanted.rows:
            hashes = map(canonical_hash, self._texts)
            facts.rows.extend(array("q", list(hashes)))  # twice as fast as from the iterator
        if self._conversations:
            self._finish_answers(*zip(*self._conversations, strict=True))
        if self._boxes:
            self._finish_boxes()
        facts.labels.update(self._labels)
        return facts

    def _finish_boxes(self) -> None:
        boxes = self.facts.boxes
        try:
            boxes.numbers.extend(array("f", self._box_numbers))
        except OverflowError:  # an integer of hundreds of digits is no coordinate
            numbers = [self._box_numbers[i : i + 4] for i in range(0, len(self._box_numbers), 4)]
            kept = [i for i, box in enumerate(numbers) if _are_floats(box)]
            self._boxes = [self._boxes[i] for i in kept]
            boxes.numbers.extend(array("f", [number for i in kept for number in numbers[i]]))
        targets = boxes.lines, boxes.types, boxes.widths, boxes.heights, boxes.orientations, boxes.images
        for target, column in zip((*targets, boxes.folders), zip(*self._boxes, strict=True), strict=False):
            target.extend(array(target.typecode, column))

    def _finish_answers(self, questions: tuple[int, ...], answers: tuple[object, ...], media: tuple[int, ...]) -> None:
        facts = self.facts
        facts.questions.extend(array("q", questions))
        facts.answers.extend(array("q", [0 if answer is _NO_ANSWER else hash(answer) for answer in answers]))
        facts.num_media.extend(array("h", media))
        texts = Counter(answer for answer in answers if type(answer) is str)
        for answer, count in texts.most_common(_MOST_ANSWERS_PER_CHUNK):
            if count > 1:
                facts.answer_texts[hash(answer)] = answer[:_SHOWN_CHARACTERS]

    def _add_text(self, row: CheckedRow) -> int:
        """Add what makes a row the same as another; return the side of the split that it declares."""
        side = side_of(row)
        if side != NO_SIDE:
            self._sides[len(self._lines)] = side
        self._add_rows([row.raw.location.line], [_whole_text(row.raw) if side == NO_SIDE else text_without_split(row)])
        return side

    def _add_rows(self, lines: Iterable[int], texts: Sequence[bytes]) -> None:
        if self.wants_texts:
            self._lines.extend(lines)
            self._texts.extend(texts)

    def _add_conversation(
        self,
        texts: list[object],
        system: str | None,
        objects: Sequence[Entry],
        media: Sequence[MediaFacts],
        captions: Sequence[str] | None = None,
    ) -> None:
        answer = _fill_in(texts, objects, media, captions) if objects or captions else texts[-1]
        question = 0
        if media:
            keys = [facts.data or facts.relative or facts.ref.source for facts in media]
            question = hash((self._root, system, *keys, *texts[:-1]))
        self._conversations.append((question, answer, min(len(media), 0x7FFF)))

    def _add_objects(self, line: int, objects: Sequence[Entry], images: Sequence[MediaFacts]) -> None:
        for entry in objects:
            caption = entry.caption
            if self._wanted.labels and caption is not None and caption is not msgspec.UNSET:
                self._labels.append(_label_of(caption))
            if self._wanted.boxes:
                self._add_boxes(line, entry, images)

    def _add_boxes(self, line: int, entry: Entry, images: Sequence[MediaFacts]) -> None:
        header, source = None, ""
        if 0 <= entry.image < len(images):
            facts = images[entry.image]
            header, source = facts.header, facts.relative or facts.ref.source[:_LONGEST_NAME]
        image, folder_name = zlib.crc32(source.encode("utf-8", "surrogatepass")), source.rpartition("/")[0]
        folder = _number_of(folder_name)
        self.facts.folders[folder] = folder_name
        size = (header.width, header.height, header.orientation) if header else (0, 0, 1)
        kind = BBOX_TYPE_CODES.get(entry.bbox_type, OTHER_BBOX_TYPE)
        for box in entry.boxes:
            if len(box) == 4:
                self._box_numbers += box
                self._boxes.append((line, kind, *size, image, folder))

    def _add_medium(self, line: int, facts: MediaFacts, row: CheckedRow, index: int, side: int) -> None:
        if facts.error is not None:
            return
        media = self.facts.media
        pixels = row.pixels[index] if index < len(row.images) and index < len(row.pixels) else None
        content: bytes | None = None
        if pixels is not None:
            content = pixels.content_hash
        elif self._wanted.content and facts.file is not None:
            content = hash_file(facts.file)
        name = facts.shown_source.encode("utf-8", "surrogatepass")[:_LONGEST_NAME]
        media.lines.append(line)
        media.sides.append(side)
        media.files.append(file_key(facts))
        media.contents.append(0 if content is None else hash(content))
        media.pictures.append((pixels.perceptual_hash or 0) if pixels is not None else 0)
        media.videos.append(video_key(facts))
        media.names.extend(name)
        media.name_bytes.append(len(name))

    def _add_length(self, line: int, row: CheckedRow) -> None:
        lengths = self.facts.lengths
        assert row.num_tokens is not None
        assert row.layout is not None
        lengths.lines.append(line)
        lengths.tokens.append(row.num_tokens)
        lengths.image_tokens.append(row.num_image_tokens)
        lengths.tiles.append(sum(image.grid.tiles for image in row.layout.images))
        for facts in row.images:
            lengths.media.extend(file_key_and_size(facts))
        lengths.frames.append(sum(image.width * image.height for image in row.layout.images if image.kind == "frame"))


def canonical_hash(text: bytes) -> int:
    """Return a hash of a row's content: equal for rows that differ in key order, spaces and escapes only."""
    try:
        return hash(_encode(_decode(text)))
    except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError):
        return hash(text)  # what is no JSON is compared as it is written


def _are_floats(box: Sequence[Number]) -> bool:
    """Whether each number is one that a float can hold: an integer of hundreds of digits is no coordinate."""
    try:
        array("d", box)
    except OverflowError:
        return False
    return True


@lru_cache(maxsize=10_000)
def _label_of(caption: str) -> str:
    return " ".join(caption.split())[:_SHOWN_CHARACTERS]


@lru_cache(maxsize=1_000)
def _number_of(folder: str) -> int:
    return zlib.crc32(folder.encode("utf-8", "surrogatepass"))


def _fill_in(
    texts: list[object], objects: Sequence[Entry], media: Sequence[MediaFacts], captions_apart: Sequence[str] | None
) -> object:
    """Put beside each text with tags the captions and boxes that they stand for, in place; return the last one."""
    all_captions = list(map(_caption_of, objects)) if captions_apart is None else captions_apart
    num_captions = num_boxes = 0
    for index, text in enumerate(texts):
        assert isinstance(text, str)
        if "<" not in text:
            continue
        captions, boxes = text.count(REF_OBJECT), text.count(BBOX)
        if captions or boxes:
            named = all_captions[num_captions : num_captions + captions]
            placed = objects[num_boxes : num_boxes + boxes]
            texts[index] = (text, *named, *(_place(entry, media) for entry in placed))
            num_captions, num_boxes = num_captions + captions, num_boxes + boxes
    return texts[-1]


def _caption_of(entry: Entry) -> object:
    return None if entry.caption is msgspec.UNSET else entry.caption


def _place(entry: Entry, media: Sequence[MediaFacts]) -> object:
    """Return what the model is taught of an object's boxes: equal for one box in whatever coordinates."""
    header = media[entry.image].header if entry.image < len(media) else None
    if header is not None:
        kind, width, height = entry.bbox_type, header.width, header.height
        try:
            return tuple([tuple(_to_model(box, kind, width, height)) for box in entry.boxes]), entry.image
        except (ArithmeticError, ValueError):  # numbers of hundreds of digits
            return entry.boxes, entry.bbox_type, entry.image
    return entry.boxes, entry.bbox_type, entry.image
