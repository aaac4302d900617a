"""Flag images in printing colours. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class CmykImage(Rule):
    """Image stored in printing colours.

    ## What it does
    Reports images stored as CMYK.
    ## Why it matters
    They are turned into RGB without a colour profile: colours come out other than a viewer shows
    them, in some files inverted.
    ## Example
    a JPEG that was exported for print
    ## Use instead
    Convert it to sRGB with its profile: `magick in.jpg -profile sRGB.icc out.jpg`.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "cmyk-image"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each CMYK image."""
        for facts in row.images:
            header = facts.header
            if header is not None and header.is_cmyk:
                message = f"{facts.shown_source} is stored as CMYK; its colours will shift"
                yield Problem(message=message, field=facts.ref.field, help="convert it to sRGB with its colour profile")
