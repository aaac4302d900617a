"""What a rule is, what it is given, and what it may know.

A rule is a class with metadata and a ``check`` that yields problems and changes nothing. Its code lives only in
the table, its docstring is its page in the manual. Rules see one :class:`CheckedRow`, filled in step by step; a rule
of level n may use what the levels up to n have filled in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from dataprep.catalog import ModelType
from dataprep.corpus import Corpus
from dataprep.errors import MediaError
from dataprep.findings import CorpusProblem, Finding, Fix, Problem, Severity
from dataprep.layouts import Layout
from dataprep.media.index import MediaFacts
from dataprep.media.pixels import PixelFacts
from dataprep.parsing import ParseProblem
from dataprep.records import Record
from dataprep.schema import ShapeProblem
from dataprep.sources import RawRow
from dataprep.tiling import ImageSize

if TYPE_CHECKING:
    from dataprep.tokenization import IdArray


class Level(IntEnum):
    """How much a rule has to be given, as a ladder of cost."""

    SHAPE = 0
    TEXT = 1
    MEDIA = 2
    PIXELS = 3
    TOKENS = 4


@dataclass(frozen=True, slots=True)
class Stable:
    """Status of a rule that will not change its meaning; ``since`` is the release."""

    since: str


@dataclass(frozen=True, slots=True)
class Shortening:
    """What makes a row that is too long fit.

    Attributes:
        policy: ``drop-turns`` or ``fewer-tiles``.
        before: Tokens of the row as it is.
        after: Tokens once it is done.
        amount: Turns left out, or most tiles per image.
        of: Turns of the row, or the most tiles that one of its images has.
    """

    policy: str
    before: int
    after: int
    amount: int
    of: int

    @property
    def in_words(self) -> str:
        """What is done, to follow the word with."""
        if self.policy == "drop-turns":
            return f"the first {self.amount} of {self.of} turns left out"
        return f"at most {self.amount} tiles per image in place of {self.of}"


@dataclass(slots=True)
class CheckedRow:
    """A row on its way through the rules.

    Attributes:
        raw: The row as found.
        parse_problem: Why it could not be parsed, or None (level 0).
        value: The parsed row; None if it could not be parsed (level 0).
        shape_problems: What keeps it from being a record (level 0).
        record: The record; None if there were such problems (level 0).
        images: Facts of each of the record's images (level 2).
        videos: Facts of each of its videos (level 2).
        pixels: What decoding each of its images showed (level 3).
        frame_errors: Why frames of each of its videos cannot be decoded, or None (level 3).
        layout: The rendering, if nothing was wrong so far (level 4).
        num_tokens: Its length in tokens (level 4).
        num_image_tokens: How many of these are context tokens (level 4).
        part_tokens: Tokens of each part of the layout (level 4).
        segments: Ids of each text of the layout (level 4).
        shortening: What made it fit; None where nothing was done (level 4).
        remedies: What would make it fit, where that was asked for (level 4).
        row_hash: Hash of the row's content; empty where nobody has asked for it yet.
        findings: What the rules have said.
    """

    raw: RawRow
    parse_problem: ParseProblem | None = None
    value: Mapping[str, object] | None = None
    shape_problems: list[ShapeProblem] = field(default_factory=list)
    record: Record | None = None
    images: list[MediaFacts] = field(default_factory=list)
    videos: list[MediaFacts] = field(default_factory=list)
    pixels: list[PixelFacts] = field(default_factory=list)
    frame_errors: list[MediaError | None] = field(default_factory=list)
    layout: Layout | None = None
    num_tokens: int | None = None
    num_image_tokens: int = 0
    part_tokens: tuple[int, ...] = ()
    segments: list[IdArray] = field(default_factory=list)
    shortening: Shortening | None = None
    remedies: tuple[Shortening, ...] = ()
    row_hash: bytes = b""
    findings: list[Finding] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        """Whether any finding so far rejects the row."""
        return bool(self.findings) and any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def checked_record(self) -> Record:
        """The record, for rules that run only where there is one."""
        assert self.record is not None
        return self.record


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleContext:
    """What rules may know besides the row.

    Attributes:
        model_type: The model that the data is for; None if none was named.
        exif: ``ignore`` or ``apply``.
        missing_image_tag: ``last`` or ``first``.
        special_text: ``reject`` or ``keep``.
        max_length: Most tokens of a sample; None without a tokenizer.
        truncation: ``error``, ``reject``, ``drop-turns`` or ``fewer-tiles``: what becomes of longer rows.
        finds_remedies: Whether to find out what would make rows fit that are too long.
        video_frames: Frames taken from each video.
        special_tokens: Texts that the tokenizer reads as tokens of turns and ends.
    """

    model_type: ModelType | None = None
    exif: str = "ignore"
    missing_image_tag: str = "last"
    special_text: str = "reject"
    max_length: int | None = None
    truncation: str = "reject"
    finds_remedies: bool = False
    video_frames: int = 8
    special_tokens: tuple[str, ...] = ()

    def image_size(self, row: CheckedRow, image: int) -> ImageSize | None:
        """Return the size of a record's image as the model will see it; None if it is not known."""
        if not 0 <= image < len(row.images):
            return None
        return row.images[image].image_size(exif=self.exif)


class AnyRule(ABC):
    """What all rules have: metadata. The docstring of a rule is its page in the manual."""

    name: ClassVar[str]
    severity: ClassVar[Severity] = Severity.ERROR
    status: ClassVar[Stable] = Stable(since="0.1")
    level: ClassVar[Level]


class Rule(AnyRule):
    """A check of one row at a time."""

    @abstractmethod
    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield what is wrong with a row."""


class CorpusRule(AnyRule):
    """A check of all rows together; runs once, after the last row. Its findings reject no row in conversion."""

    @abstractmethod
    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""


class ParseRule(Rule):
    """A rule about rows that could not be parsed.

    ``kinds`` are the parse problems that it reports; ``prefix`` goes before what the parser says.
    """

    level = Level.SHAPE
    kinds: ClassVar[tuple[str, ...]]
    prefix: ClassVar[str] = ""
    help: ClassVar[str | None] = None

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the parse problem of this rule's kind."""
        problem = row.parse_problem
        if problem is not None and problem.kind in self.kinds:
            yield Problem(message=f"{self.prefix}{problem.detail}", help=self.help, fix=self.fix_for(row))

    def fix_for(self, row: CheckedRow) -> Fix | None:
        """Return how the row can be mended, if it can."""
        return None


class ShapeRule(Rule):
    """A rule about rows that do not obey their schema; ``kinds`` are the shape problems that it reports."""

    level = Level.SHAPE
    kinds: ClassVar[tuple[str, ...]]

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the shape problems of this rule's kind."""
        for problem in row.shape_problems:
            if problem.kind in self.kinds:
                fix = self.fix_for(row, problem)
                step = problem.help or (fix.label if fix is not None else None)
                yield Problem(message=problem.message, field=problem.field, help=step, fix=fix)

    def fix_for(self, row: CheckedRow, problem: ShapeProblem) -> Fix | None:
        """Return how the row can be mended, if it can."""
        return None


URL_REASONS = (
    "url-not-allowed", "url-invalid", "url-unreachable", "url-timeout", "url-truncated",
    "unsupported-scheme", "private-address", "http-status", "too-many-redirects",
)  # fmt: skip
SPECIAL_REASONS = (
    "empty-reference", "missing", "empty", "outside-root", "too-large", "lfs-pointer", "truncated-header",
    "truncated-data", "no-frames", *URL_REASONS,
)  # fmt: skip


class MediaRule(Rule):
    """A rule about media that cannot be used.

    ``reasons`` are the causes that it reports; None means every cause that has no rule of its own.
    """

    level = Level.MEDIA
    reasons: ClassVar[tuple[str, ...] | None]
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    help: ClassVar[str | None] = None

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each reference whose media fail for one of this rule's reasons."""
        for facts in (*row.images, *row.videos):
            error = facts.error
            if error is not None and facts.ref.kind in self.kinds and self._reports(error.reason):
                message = f"{facts.shown_source}: {error.detail}"
                step, fix = self.help_for(row, facts), self.fix_for(row, facts)
                yield Problem(message=message, field=facts.ref.field, help=step, fix=fix)

    def fix_for(self, row: CheckedRow, facts: MediaFacts) -> Fix | None:
        """Return how the row can be mended, if it can."""
        return None

    def help_for(self, row: CheckedRow, facts: MediaFacts) -> str | None:
        """Return the next step after this failure."""
        return self.help

    def _reports(self, reason: str) -> bool:
        return reason not in SPECIAL_REASONS if self.reasons is None else reason in self.reasons
