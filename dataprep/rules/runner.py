"""Take rows up the ladder of levels and collect what the rules say.

A row is parsed, read into a record, looked up on disk, rendered and measured, each step only if the level asks for
it and the steps before made it possible. The same checker serves lint and conversion, so what lint passes
converts, and every reject of conversion is a finding of lint.
"""

from __future__ import annotations

from collections.abc import Sequence

from dataprep.encode import Encoder, VideoSize, lay_out
from dataprep.errors import RuleCrash
from dataprep.findings import Finding, Severity
from dataprep.formats.reading import read_record
from dataprep.media.index import MediaIndex
from dataprep.media.video import choose_frames
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.table import RULES
from dataprep.sources import RawRow, parse_row
from dataprep.tokenization import segment_texts


class RowChecker:
    """Checks rows one by one; keeps nothing but what is known of media.

    Attributes:
        context: What the rules may know.
        level: How far up the ladder rows are taken.
    """

    def __init__(
        self, context: RuleContext, *, media: MediaIndex, level: Level = Level.MEDIA, encoder: Encoder | None = None
    ) -> None:
        assert level < Level.TOKENS or encoder is not None
        self.context = context
        self.level = level
        self._media = media
        self._encoder = encoder
        rules = [(code, rule()) for code, rule in RULES.items()]
        self._rules = {stage: [pair for pair in rules if pair[1].level == stage] for stage in Level}

    def check(self, raw: RawRow) -> CheckedRow:
        """Return a row with everything that was found out about it and all findings, errors first."""
        row = CheckedRow(raw)
        row.value, row.parse_problem = parse_row(raw)
        if row.value is not None and row.parse_problem is None:
            row.record, row.shape_problems = read_record(dict(row.value), raw.location)
        self._run(Level.SHAPE, row)
        if row.record is not None and self.level >= Level.TEXT:
            row.record = self._media.split_joined(row.record)
            self._run(Level.TEXT, row)
        if row.record is not None and self.level >= Level.MEDIA:
            row.images = [self._media.look_up(ref) for ref in row.record.images]
            row.videos = [self._media.look_up(ref) for ref in row.record.videos]
            self._run(Level.MEDIA, row)
        if row.record is not None and self.level >= Level.TOKENS and not row.has_errors:
            self._measure(row)
            self._run(Level.TOKENS, row)
        row.findings.sort(key=lambda finding: finding.severity.rank)
        return row

    def _measure(self, row: CheckedRow) -> None:
        encoder = self._encoder
        assert encoder is not None
        sizes = [facts.image_size(exif=self.context.exif) for facts in row.images]
        videos = [facts.video for facts in row.videos]
        row.layout = lay_out(
            row.checked_record,
            encoder.settings,
            image_sizes=[size for size in sizes if size is not None],
            video_sizes=[
                VideoSize(v.width, v.height, _frames(v.num_frames, encoder.settings.video_frames)) for v in videos if v
            ],
        )
        slots = row.layout.slot_tokens(encoder.settings.tiles.tokens_per_tile)
        segments = encoder.tokenizer.encode_many(segment_texts(row.layout.parts))
        row.num_image_tokens = sum(slots)
        bos = 0 if encoder.tokenizer.bos_id is None else 1
        row.num_tokens = bos + sum(len(segment) for segment in segments) + row.num_image_tokens

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


def _frames(num_frames: int, num_segments: int) -> tuple[int, ...]:
    return tuple(choose_frames(num_frames, num_segments=num_segments))


def count_by_severity(findings: Sequence[Finding]) -> dict[Severity, int]:
    """Return how many findings there are of each severity."""
    return {severity: sum(f.severity is severity for f in findings) for severity in Severity}


def describe_rules() -> list[tuple[str, Rule]]:
    """Return every rule with its code, in the order of the table."""
    return [(code, rule()) for code, rule in RULES.items()]
