"""Take rows up the ladder of levels and collect what the rules say.

A row is parsed, read into a record, looked up on disk, rendered and measured, each step only if the level asks for
it and the steps before made it possible. The same checker serves lint and conversion, so what lint passes
converts, and every reject of conversion is a finding of lint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dataprep.catalog import get_model_type
from dataprep.config import LintConfig, RowConfig, RuleConfig
from dataprep.corpus import Wanted
from dataprep.errors import RuleCrash
from dataprep.findings import Finding, Severity
from dataprep.formats.reading import read_record
from dataprep.media.cache import MediaCache, default_folder
from dataprep.media.index import MediaIndex
from dataprep.media.trail import Trail
from dataprep.parsing import parse_row
from dataprep.records import hash_row, hash_text
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.facts import FactCollector, wanted_facts
from dataprep.rules.selection import severities_for
from dataprep.rules.table import RULES
from dataprep.sources import RawRow

if TYPE_CHECKING:
    from dataprep.encode import Encoder

UP_TO_MEDIA = frozenset({Level.SHAPE, Level.TEXT, Level.MEDIA})
FOR_CONVERSION = UP_TO_MEDIA | {Level.TOKENS}
"""What conversion needs: everything but pixels."""


_LONG_NUMBER = re.compile(r"\d{50,}")


def _shorten(match: re.Match[str]) -> str:
    digits = match[0]
    return f"{digits[:10]}... ({len(digits):,} digits)"


class RowChecker:
    """Checks rows; keeps nothing but what is known of media.

    Attributes:
        context: What the rules may know.
        levels: The rungs of the ladder that rows are taken to.
        media: Looks media up.
        severities: The rules that run, with the severity of their findings.
    """

    def __init__(
        self,
        context: RuleContext,
        *,
        media: MediaIndex,
        levels: frozenset[Level] = UP_TO_MEDIA,
        encoder: Encoder | None = None,
        severities: Mapping[str, Severity] | None = None,
    ) -> None:
        assert Level.TOKENS not in levels or encoder is not None
        self.context = context
        self.levels = levels
        self.media = media
        self.severities = severities_for(RuleConfig(), "") if severities is None else severities
        self._encoder = encoder
        # Rules about whole data sets run elsewhere, after the last row.
        rules = [(c, rule()) for c, rule in RULES.items() if issubclass(rule, Rule) and c in self.severities]
        self._rules = {level: [pair for pair in rules if pair[1].level == level] for level in levels}

    def check(self, raw: RawRow) -> CheckedRow:
        """Return a row with everything that was found out about it and all findings, errors first."""
        return self.check_all([raw])[0]

    def check_all(self, raws: Sequence[RawRow], plain: Sequence[CheckedRow | None] = ()) -> list[CheckedRow]:
        """Check several rows; their text is tokenized in one batch.

        Args:
            raws: The rows.
            plain: For each row, if given, what it is up to the level of media if no rule speaks about it there.
        """
        taken = plain or [None] * len(raws)
        rows = [row or self.check_untokenized(raw) for raw, row in zip(raws, taken, strict=True)]
        if self._encoder is not None and Level.TOKENS in self.levels:
            from dataprep.rules.measuring import QUIET_RULES, is_quiet, measure

            sound = [row for row in rows if row.record is not None and not row.has_errors]
            measure(sound, self._encoder, exif=self.context.exif)
            self._shorten(sound, self._encoder)
            may_be_quiet = all(code in QUIET_RULES for code, _ in self._rules[Level.TOKENS])
            for row in sound:
                if not (may_be_quiet and is_quiet(row, self.context)):
                    self._run(Level.TOKENS, row)
        for row in rows:
            if len(row.findings) < 2:
                continue
            row.findings.sort(key=lambda finding: finding.severity.rank)
        return rows

    def _shorten(self, rows: Sequence[CheckedRow], encoder: Encoder) -> None:
        """Make rows that are too long fit, if they shall and can; find out what would if they cannot."""
        context, limit = self.context, self.context.max_length
        long = [row for row in rows if limit is not None and row.num_tokens is not None and row.num_tokens > limit]
        if not long or limit is None:
            return
        from dataprep.rules.shortening import POLICIES, remedies, shorten

        for row in long:
            policy, exif = context.truncation, context.exif
            if policy in POLICIES and shorten(row, encoder, policy=policy, limit=limit, exif=exif):
                continue
            if context.finds_remedies:
                row.remedies = remedies(row, encoder, limit=limit, exif=exif)

    def check_untokenized(self, raw: RawRow) -> CheckedRow:
        """Return a row checked up to the level of pixels, as far as this checker goes."""
        row = CheckedRow(raw)
        row.value, row.parse_problem = parse_row(raw)
        if row.value is not None and row.parse_problem is None:
            row.record, row.shape_problems = read_record(dict(row.value), raw.location)
        self._run(Level.SHAPE, row)
        if row.record is not None and Level.TEXT in self.levels:
            row.record = self.media.split_joined(row.record)
            self._run(Level.TEXT, row)
        if row.record is not None and Level.MEDIA in self.levels:
            row.images = [self.media.look_up(ref) for ref in row.record.images]
            row.videos = [self.media.look_up(ref) for ref in row.record.videos]
            self._run(Level.MEDIA, row)
        if row.record is not None and Level.PIXELS in self.levels:
            row.pixels = [self.media.read_pixels(facts) for facts in row.images]
            row.frame_errors = [self.media.check_frames(facts, self.context.video_frames) for facts in row.videos]
            self._run(Level.PIXELS, row)
        return row

    def _run(self, level: Level, row: CheckedRow) -> None:
        row_hash = row.findings[0].row_hash if row.findings else row.row_hash
        for code, rule in self._rules[level]:
            try:
                problems = list(rule.check(row, self.context))
            except MemoryError:
                raise  # no defect of the rule
            except Exception as error:
                raise RuleCrash(code, str(row.raw.location)) from error
            if problems and not row_hash:
                row_hash = hash_row(row.value) if row.value is not None else hash_text(row.raw.text)
            for problem in problems:
                row.findings.append(
                    Finding(
                        code=code,
                        name=rule.name,
                        severity=self.severities[code],
                        location=row.raw.location,
                        field=problem.field,
                        message=_LONG_NUMBER.sub(_shorten, problem.message),
                        help=problem.help,
                        fix=problem.fix,
                        row_hash=row_hash,
                    )
                )


@dataclass(frozen=True, slots=True)
class CheckerRecipe:
    """Makes the checker for each data file; picklable, so that worker processes can make their own.

    Attributes:
        config: What rows mean and where media lie.
        levels: The rungs of the ladder that rows are taken to.
        rules: Which rules run.
        leaves_trail: Whether it is noted which media files were looked at.
        declares_split: Whether rows are known to say which split they are of.
    """

    config: RowConfig
    levels: frozenset[Level]
    rules: RuleConfig = field(default_factory=RuleConfig)
    leaves_trail: bool = False
    declares_split: bool = False

    def __call__(self) -> CheckerSet:
        """Load what all checkers share, above all the tokenizer."""
        severities_for(self.rules, "")  # fail on a bad selector here
        encoder = None
        if Level.TOKENS in self.levels:
            from dataprep.rules.measuring import make_encoder_from

            encoder = make_encoder_from(self.config)
        return CheckerSet(self, encoder)


class CheckerSet:
    """One checker per data file, all sharing one tokenizer, and those of one media root what is known of media.

    Attributes:
        encoder: The encoder; None below the level of tokens.
    """

    def __init__(self, recipe: CheckerRecipe, encoder: Encoder | None) -> None:
        self.encoder = encoder
        name = recipe.config.model_type
        self._model_type = None if name is None else get_model_type(name)
        self._recipe = recipe
        self._checkers: dict[str, RowChecker] = {}
        self._wanted: dict[str, Wanted] = {}
        self._roots: dict[str, Path] = {}
        self._media: dict[Path, MediaIndex] = {}
        self._trail = Trail() if recipe.leaves_trail else None
        folder = None if recipe.config.no_cache else recipe.config.cache or default_folder()
        self._cache = None if folder is None else MediaCache(folder)

    def for_file(self, path: str) -> RowChecker:
        """Return the checker for a data file's rows."""
        if path not in self._checkers:
            self._checkers[path] = self._make(path)
        return self._checkers[path]

    def remember(self) -> None:
        """Write down for later runs what was found out of media; to be called after each chunk."""
        if self._cache is not None:
            self._cache.flush()

    def cut_trail(self) -> Trail | None:
        """Return which media files were looked at since the last time; None if that is not noted."""
        return None if self._trail is None else self._trail.cut()

    def new_collector(self, path: str) -> FactCollector:
        """Return an empty collector of what rules about whole data sets need to know of a data file's rows."""
        config, levels = self._recipe.config, self._recipe.levels
        if path not in self._wanted:
            assert isinstance(config, LintConfig)
            codes = severities_for(self._recipe.rules, path)
            draws = config.contact_sheet is not None
            has_val = bool(config.val) or self._recipe.declares_split
            self._wanted[path] = wanted_facts(codes, levels, has_val=has_val, draws_boxes=draws)
            self._roots[path] = media_root_of(path, config)
        return FactCollector(self._wanted[path], root=self._roots[path])

    def _media_under(self, root: Path, config: RowConfig) -> MediaIndex:
        if root not in self._media:
            self._media[root] = MediaIndex(
                root,
                allow_outside=config.allow_outside_root,
                allow_urls=config.allow_urls,
                allow_private_urls=config.allow_private_urls,
                cache=self._cache,
                trail=self._trail,
                timeout_s=config.media_timeout,
            )
        return self._media[root]

    def _make(self, path: str) -> RowChecker:
        config = self._recipe.config
        media = self._media_under(media_root_of(path, config), config)
        context = RuleContext(
            model_type=self._model_type,
            exif=config.exif,
            special_text=config.special_text,
            missing_image_tag=config.missing_image_tag,
            max_length=config.max_length,
            truncation=config.truncation,
            finds_remedies=isinstance(config, LintConfig),
            video_frames=config.video_frames,
            special_tokens=self.encoder.tokenizer.control_tokens if self.encoder else (),
        )
        return RowChecker(
            context,
            media=media,
            levels=self._recipe.levels,
            encoder=self.encoder,
            severities=severities_for(self._recipe.rules, path),
        )


def media_root_of(path: str, config: RowConfig) -> Path:
    """Return the folder that the media paths of a data file are relative to."""
    for entry in config.media_roots:
        if entry.file == path:
            return entry.root
    return config.media_root or (Path.cwd() if path == "-" else Path(path).parent)
