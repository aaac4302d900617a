"""Flag empty entries in media lists. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class EmptyMediaEntry(Rule):
    """Empty entry in a media list.

    ## What it does
    Reports null, empty and blank entries of `images` and `videos`.
    ## Why it matters
    The reference removes them, and every later image moves up to another tag.
    ## Example
    `{"images": ["a.jpg", ""]}`
    ## Use instead
    Take the entry out, with its tag.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "empty-media-entry"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for ref in (*row.checked_record.images, *row.checked_record.videos):
            if not ref.source:
                message = (
                    f"{ref.field} holds an {ref.kind} tag without a path" if ref.inline else f"{ref.field} is empty"
                )
                yield Problem(message=message, field=ref.field, help="take the entry out, with its tag")
