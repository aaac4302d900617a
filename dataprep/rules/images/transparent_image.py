"""Flag images with transparency. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class TransparentImage(Rule):
    """Image with transparency.

    ## What it does
    Reports images with an alpha channel or a transparent colour.
    ## Why it matters
    Transparency is dropped, not blended: what a viewer shows on white may be black, or hold colours
    that nobody ever saw.
    ## Example
    a logo as RGBA PNG
    ## Use instead
    Blend it onto the background that is meant and save it as RGB.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "transparent-image"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each image that may be transparent in places."""
        for facts in row.images:
            header = facts.header
            if header is not None and header.has_alpha:
                message = f"{facts.shown_source} has transparency, which is dropped, not blended"
                yield Problem(message=message, field=facts.ref.field, help="blend it onto a background")
