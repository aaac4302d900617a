"""Flag images with 16 bits per channel. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class DeepColourImage(Rule):
    """Image with 16 bits per channel.

    ## What it does
    Reports images with more than eight bits per channel.
    ## Why it matters
    The model sees eight bits. Pillow cuts a 16-bit grey image off at 255, so that nearly all of it
    becomes white.
    ## Example
    a depth map or an X-ray as 16-bit PNG
    ## Use instead
    Scale the values to 0..255 and save eight bits.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "deep-colour-image"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each image of more than eight bits."""
        for facts in row.images:
            header = facts.header
            if header is not None and header.is_deep:
                message = f"{facts.shown_source} has {header.bits} bits per channel, the model sees 8"
                yield Problem(message=message, field=facts.ref.field, help="scale its values to 0..255 and save 8 bits")
