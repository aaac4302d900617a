"""Flag images with a palette. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class PaletteImage(Rule):
    """Image with a palette.

    ## What it does
    Reports images whose pixels are numbers of colours in a table, all GIF files included.
    ## Why it matters
    A palette holds 256 colours at most: photos in one show bands and dots. Nothing is lost by
    reading it.
    ## Example
    a photo saved as GIF
    ## Use instead
    Take the picture from a source that has full colours, if there is one.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "palette-image"
    severity = Severity.INFO
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each image with a palette."""
        for facts in row.images:
            header = facts.header
            if header is not None and header.is_palette:
                message = f"{facts.shown_source} has a palette of at most 256 colours"
                yield Problem(message=message, field=facts.ref.field, help="use the full-colour original")
