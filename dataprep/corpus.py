"""What is remembered of every row for the rules about whole data sets: a few numbers and hashes, as columns.

Workers fill one :class:`Facts` per chunk, the parent appends it to that of the file; rules read the columns after the
last row, as numpy arrays. Only what a selected rule needs is collected (:class:`Wanted`). A row costs nothing
at the levels 0 and 1, 34 bytes from level 2 on, and about 40 more per box or medium: a million rows stay far under
200 MB.

Hashes are Python's own 64-bit ones, which cost next to nothing. They hold within one run only: all processes that
collect must share one hash seed, which :meth:`Corpus.add` checks and :mod:`dataprep.pool` provides.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field, fields
from functools import partial

from dataprep.errors import DataprepError

MOST_BOXES = 4_000_000
"""Boxes that are remembered; the statistics of more are those of the first."""
MOST_LABELS = 50_000
"""Different captions that are counted; a data set with more has no set of labels, but free text."""
MOST_ANSWERS = 10_000
"""Answers whose text is remembered, to show the most frequent one."""
_FEW_ROWS = 10_000
NO_SIDE, TRAIN_SIDE, VAL_SIDE = 0, 1, 2
"""Sides of a split: not declared by the row, declared to be trained on, declared to be any other split."""
NO_RECORD = -1
"""Stands in for a row's number of media where the row could not be read."""
BBOX_TYPE_CODES = {"real": 0, "norm_1": 1, "norm_1000": 2}
OTHER_BBOX_TYPE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which facts the selected rules need.

    Attributes:
        rows: Hash of the content of each row; key order, spaces and escapes do not matter.
        answers: Hashes of questions and answers.
        labels: Counts of captions.
        boxes: Boxes with the sizes of their images.
        media: Identity of each image and video, for leakage between splits.
        declared_media: The same of rows that declare a split only.
        content: Hashes of the bytes and pixels of those media too.
        lengths: Tokens and tiles of each row.
    """

    rows: bool = False
    answers: bool = False
    labels: bool = False
    boxes: bool = False
    media: bool = False
    declared_media: bool = False
    content: bool = False
    lengths: bool = False

    @property
    def records(self) -> bool:
        """Whether anything is wanted that the text of a row alone does not give."""
        media = self.media or self.declared_media
        return self.answers or self.labels or self.boxes or media or self.lengths


_int64 = partial(array, "q")
_uint64 = partial(array, "Q")
_uint32 = partial(array, "I")
_uint8 = partial(array, "B")
_int16 = partial(array, "h")


class _Columns:
    """Columns of equal length that can be appended to those of the same kind."""

    __slots__ = ()

    def extend(self, other: _Columns) -> None:
        """Append the rows of another instance."""
        for entry in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            getattr(self, entry.name).extend(getattr(other, entry.name))


@dataclass(slots=True)
class BoxColumns(_Columns):
    """One entry per box.

    Attributes:
        lines: Line of its row.
        types: Code of its ``bbox_type``, see :data:`BBOX_TYPE_CODES`.
        numbers: Its four numbers, one after the other.
        widths: Stored width of its image in pixels; 0 if not known.
        heights: Stored height likewise.
        orientations: EXIF orientation of its image, 1..8.
        images: A number that tells the images of a file apart (CRC-32 of the reference).
        folders: Likewise the folders that the images lie in.
    """

    lines: array[int] = field(default_factory=_int64)
    types: array[int] = field(default_factory=_uint8)
    numbers: array[float] = field(default_factory=lambda: array("f"))
    widths: array[int] = field(default_factory=_uint32)
    heights: array[int] = field(default_factory=_uint32)
    orientations: array[int] = field(default_factory=_uint8)
    images: array[int] = field(default_factory=_uint32)
    folders: array[int] = field(default_factory=_uint32)


@dataclass(slots=True)
class MediaColumns(_Columns):
    """One entry per image or video of a row; 0 stands for a hash that is not known.

    Attributes:
        lines: Line of its row.
        sides: Side of the split that its row declares; empty if none does.
        files: Hash of device and inode of its file, or of inline bytes.
        contents: Hash of its encoded bytes.
        pictures: Perceptual hash, unsigned.
        videos: Hash of the video that it is, or is a frame of.
        names: The references, in UTF-8, cut to 255 bytes, one after the other.
        name_bytes: Length of each.
    """

    lines: array[int] = field(default_factory=_int64)
    sides: array[int] = field(default_factory=_uint8)
    files: array[int] = field(default_factory=_int64)
    contents: array[int] = field(default_factory=_int64)
    pictures: array[int] = field(default_factory=_uint64)
    videos: array[int] = field(default_factory=_int64)
    names: bytearray = field(default_factory=bytearray)
    name_bytes: array[int] = field(default_factory=_uint8)


@dataclass(slots=True)
class LengthColumns(_Columns):
    """One entry per row that has a length.

    Attributes:
        lines: Line of the row.
        tokens: Its tokens, image tokens included.
        image_tokens: Its context tokens.
        tiles: Its tiles.
        media: Its distinct media files, as hash and size in bytes, one pair after the other.
        frames: Pixels of the video frames that conversion takes out of its videos.
    """

    lines: array[int] = field(default_factory=_int64)
    tokens: array[int] = field(default_factory=_int64)
    image_tokens: array[int] = field(default_factory=_int64)
    tiles: array[int] = field(default_factory=_int64)
    media: array[int] = field(default_factory=_int64)
    frames: array[int] = field(default_factory=_int64)


@dataclass(slots=True)
class Facts:
    """The facts of the rows of one chunk, or of one file.

    Attributes:
        seed_check: Tells processes with different hash seeds apart; 0 if nothing was hashed.
        lines: Line of each row.
        sides: Side of the split that each row declares; empty if none does.
        rows: Hash of each row.
        questions: Hash of media and conversation before the last answer; 0 for rows without media.
        answers: Hash of the last answer; 0 for rows that could not be read.
        num_media: Images and videos of each row; :data:`NO_RECORD` for rows that could not be read.
        answer_texts: Beginning of answers that occurred more than once in a chunk, by hash.
        labels: How often each caption occurs.
        folders: Names of folders by number.
        boxes: The boxes.
        media: The media.
        lengths: The lengths.
    """

    seed_check: int = 0
    lines: array[int] = field(default_factory=_int64)
    sides: array[int] = field(default_factory=_uint8)
    rows: array[int] = field(default_factory=_int64)
    questions: array[int] = field(default_factory=_int64)
    answers: array[int] = field(default_factory=_int64)
    num_media: array[int] = field(default_factory=_int16)
    answer_texts: dict[int, str] = field(default_factory=dict)
    labels: Counter[str] = field(default_factory=Counter)
    folders: dict[int, str] = field(default_factory=dict)
    boxes: BoxColumns = field(default_factory=BoxColumns)
    media: MediaColumns = field(default_factory=MediaColumns)
    lengths: LengthColumns = field(default_factory=LengthColumns)

    def extend(self, other: Facts) -> None:
        """Append the facts of more rows of the same file."""
        self.lines.extend(other.lines)
        self.sides.extend(other.sides)
        self.rows.extend(other.rows)
        if other.answers:
            self.questions.extend(other.questions)
            self.answers.extend(other.answers)
            self.num_media.extend(other.num_media)
        if len(self.answer_texts) < MOST_ANSWERS:
            self.answer_texts.update(other.answer_texts)
        if other.labels and len(self.labels) <= MOST_LABELS:
            self.labels.update(other.labels)
        self.folders.update(other.folders)
        # Most chunks have none of these, and asking is cheaper than appending nothing to twenty columns.
        if other.boxes.lines and len(self.boxes.lines) < MOST_BOXES:
            self.boxes.extend(other.boxes)
        if other.media.lines:
            self.media.extend(other.media)
        if other.lengths.lines:
            self.lengths.extend(other.lengths)


@dataclass(slots=True)
class Corpus:
    """The facts of all rows.

    Attributes:
        paths: The data files, in the order given.
        val_paths: Those of them whose rows are for validation.
        files: The facts of each file's rows.
        analyses: What rules worked out of the facts and share, by name.
    """

    paths: list[str] = field(default_factory=list)
    val_paths: frozenset[str] = frozenset()
    files: dict[str, Facts] = field(default_factory=dict)
    analyses: dict[str, object] = field(default_factory=dict)
    _seed_check: int = 0

    @property
    def has_split(self) -> bool:
        """Whether any row is for anything but training, by its file or by its own word."""
        return bool(self.val_paths) or any(VAL_SIDE in facts.sides for facts in self.files.values())

    def add(self, path: str, facts: Facts) -> None:
        """Take in the facts of some rows of a file.

        Raises:
            DataprepError: If they come from a process with another hash seed than earlier ones.
        """
        if facts.seed_check:
            if self._seed_check not in (0, facts.seed_check):
                raise DataprepError("the worker processes do not share one hash seed; run with one process (-j 1)")
            self._seed_check = facts.seed_check
        known = self.files.get(path)
        if known is None:
            self.files[path] = facts
        else:
            known.extend(facts)

    def may_repeat(self, name: str) -> bool:
        """Return whether a column of rows holds a value twice; of a long column only that it may, to save the search.

        Small data sets that are fine then need no numpy.
        """
        columns = [getattr(facts, name) for facts in self.files.values()]
        if sum(map(len, columns)) > _FEW_ROWS:
            return True
        values = [value for column in columns for value in column if value]
        return len(set(values)) < len(values)
