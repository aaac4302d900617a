"""Note videos that PyAV reads, since decord cannot. Cost: none beyond the probe."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.media.video import PYAV
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class VideoReadBySecondReader(Rule):
    """Video that PyAV reads, not decord.

    ## What it does
    Notes videos that decord cannot read (or where it is not installed) and PyAV can. Conversion writes the
    code into the ledger, also where decord opens a video and fails at one of the frames that are wanted.
    ## Why it matters
    The reference reads with decord, and would fail here. PyAV gives the same frames of MP4, MOV and Matroska
    files; in AVI files with reordered frames their numbers may be others.
    ## Example
    an AV1 video
    ## Use instead
    Nothing need be done; `ffmpeg -i in.mkv -c:v libx264 out.mp4` makes a video that decord reads.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "video-read-by-second-reader"
    severity = Severity.INFO
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each video whose frame for the probe came from PyAV."""
        for facts in row.videos:
            if facts.video is not None and facts.video.reader == PYAV:
                yield Problem(message=second_reader_message(facts.shown_source), field=facts.ref.field)


def second_reader_message(source: str) -> str:
    """Return what there is to say about a video that PyAV reads."""
    return f"{source} is read by PyAV: decord, which the reference reads with, cannot read it or is not installed"
