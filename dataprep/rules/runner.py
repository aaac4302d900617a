"""Take rows up the ladder of levels and collect what the rules say.

A row is parsed, read into a record, looked up on disk, rendered and measured, each step only if the level asks for
it and the steps before made it possible. The same checker serves lint and conversion, so what lint passes
converts, and every reject of conversion is a finding of lint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataprep.catalog import get_model_type
from dataprep.config import RowConfig
from dataprep.encode import Encoder, Layout, VideoSize, lay_out, make_encoder
from dataprep.errors import ConfigError, RuleCrash
from dataprep.findings import Finding
from dataprep.formats.reading import read_record
from dataprep.media.index import MediaIndex
from dataprep.media.video import choose_frames
from dataprep.rules.base import CheckedRow, Level, RuleContext
from dataprep.rules.table import RULES
from dataprep.sources import RawRow, parse_row
from dataprep.tokenization import segment_texts


class RowChecker:
    """Checks rows; keeps nothing but what is known of media.

    Attributes:
        context: What the rules may know.
        level: How far up the ladder rows are taken.
        media: Looks media up.
    """

    def __init__(
        self, context: RuleContext, *, media: MediaIndex, level: Level = Level.MEDIA, encoder: Encoder | None = None
    ) -> None:
        assert level < Level.TOKENS or encoder is not None
        self.context = context
        self.level = level
        self.media = media
        self._encoder = encoder
        rules = [(code, rule()) for code, rule in RULES.items()]
        self._rules = {stage: [pair for pair in rules if pair[1].level == stage] for stage in Level}

    def check(self, raw: RawRow) -> CheckedRow:
        """Return a row with everything that was found out about it and all findings, errors first."""
        return self.check_all([raw])[0]

    def check_all(self, raws: Sequence[RawRow]) -> list[CheckedRow]:
        """Check several rows; their text is tokenized in one batch."""
        rows = [self._check_untokenized(raw) for raw in raws]
        if self.level >= Level.TOKENS:
            self._check_lengths([row for row in rows if row.record is not None and not row.has_errors])
        for row in rows:
            row.findings.sort(key=lambda finding: finding.severity.rank)
        return rows

    def _check_untokenized(self, raw: RawRow) -> CheckedRow:
        row = CheckedRow(raw)
        row.value, row.parse_problem = parse_row(raw)
        if row.value is not None and row.parse_problem is None:
            row.record, row.shape_problems = read_record(dict(row.value), raw.location)
        self._run(Level.SHAPE, row)
        if row.record is not None and self.level >= Level.TEXT:
            row.record = self.media.split_joined(row.record)
            self._run(Level.TEXT, row)
        if row.record is not None and self.level >= Level.MEDIA:
            row.images = [self.media.look_up(ref) for ref in row.record.images]
            row.videos = [self.media.look_up(ref) for ref in row.record.videos]
            self._run(Level.MEDIA, row)
        return row

    def _check_lengths(self, rows: Sequence[CheckedRow]) -> None:
        encoder = self._encoder
        assert encoder is not None
        layouts = [self._lay_out(row, encoder) for row in rows]
        texts = [segment_texts(layout.parts) for layout in layouts]
        segments = iter(encoder.tokenizer.encode_many([text for group in texts for text in group]))
        for row, layout, group in zip(rows, layouts, texts, strict=True):
            row.layout = layout
            row.num_image_tokens = sum(layout.slot_tokens(encoder.settings.tiles.tokens_per_tile))
            bos = 0 if encoder.tokenizer.bos_id is None else 1
            row.num_tokens = bos + sum(len(next(segments)) for _ in group) + row.num_image_tokens
            self._run(Level.TOKENS, row)

    def _lay_out(self, row: CheckedRow, encoder: Encoder) -> Layout:
        sizes = [facts.image_size(exif=self.context.exif) for facts in row.images]
        videos = [facts.video for facts in row.videos if facts.video is not None]
        count = encoder.settings.video_frames
        frames = [tuple(choose_frames(video.num_frames, num_segments=count)) for video in videos]
        return lay_out(
            row.checked_record,
            encoder.settings,
            image_sizes=[size for size in sizes if size is not None],
            video_sizes=[VideoSize(v.width, v.height, chosen) for v, chosen in zip(videos, frames, strict=True)],
        )

    def _run(self, level: Level, row: CheckedRow) -> None:
        for code, rule in self._rules[level]:
            try:
                problems = list(rule.check(row, self.context))
            except Exception as error:
                raise RuleCrash(code, str(row.raw.location)) from error
            for problem in problems:
                row.findings.append(
                    Finding(
                        code=code,
                        name=rule.name,
                        severity=rule.severity,
                        location=row.raw.location,
                        field=problem.field,
                        message=problem.message,
                        help=problem.help,
                    )
                )


@dataclass(frozen=True, slots=True)
class CheckerRecipe:
    """Makes the checker for each data file; picklable, so that worker processes can make their own.

    Attributes:
        config: What rows mean and where media lie.
        level: How far up the ladder rows are taken.
    """

    config: RowConfig
    level: Level

    def __call__(self) -> CheckerSet:
        """Load what all checkers share, above all the tokenizer."""
        encoder = None
        if self.level >= Level.TOKENS:
            encoder = make_encoder_from(self.config)
        return CheckerSet(self, encoder)


def make_encoder_from(config: RowConfig) -> Encoder:
    """Return the encoder that a configuration asks for.

    Raises:
        ConfigError: If model type or model folder are missing or cannot be used.
    """
    if config.model_type is None:
        raise ConfigError("no model type; add --for with one of the eleven model types")
    if config.model is None:
        raise ConfigError("no model folder; add --model with the folder that holds the model's tokenizer")
    return make_encoder(
        config.model_type,
        config.model,
        max_num=config.max_num,
        system=config.system,
        box_style=config.box_style,
        missing_image_tag=config.missing_image_tag,
        video_frames=config.video_frames,
    )


class CheckerSet:
    """One checker per media root, all sharing one tokenizer.

    Attributes:
        encoder: The encoder; None below the level of tokens.
    """

    def __init__(self, recipe: CheckerRecipe, encoder: Encoder | None) -> None:
        self.encoder = encoder
        name = recipe.config.model_type
        self._model_type = None if name is None else get_model_type(name)
        self._recipe = recipe
        self._checkers: dict[Path, RowChecker] = {}

    def for_file(self, path: str) -> RowChecker:
        """Return the checker for a data file's rows."""
        config = self._recipe.config
        root = media_root_of(path, config)
        if root not in self._checkers:
            self._checkers[root] = self._make(root, config)
        return self._checkers[root]

    def _make(self, root: Path, config: RowConfig) -> RowChecker:
        media = MediaIndex(
            root,
            allow_outside=config.allow_outside_root,
            allow_urls=config.allow_urls,
            allow_private_urls=config.allow_private_urls,
        )
        context = RuleContext(
            model_type=self._model_type,
            exif=config.exif,
            special_text=config.special_text,
            missing_image_tag=config.missing_image_tag,
            max_length=config.max_length,
            video_frames=config.video_frames,
            special_tokens=self.encoder.tokenizer.control_tokens if self.encoder else (),
        )
        return RowChecker(context, media=media, level=self._recipe.level, encoder=self.encoder)


def media_root_of(path: str, config: RowConfig) -> Path:
    """Return the folder that the media paths of a data file are relative to."""
    return config.media_root or (Path.cwd() if path == "-" else Path(path).parent)
