"""Flag several paths joined by commas in one text. Cost: one stat where a comma occurs."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class CommaJoinedPaths(Rule):
    """Several paths in one text.

    ## What it does
    Reports a bare text in `images` or `videos` that names no file, while its comma-separated parts all
    do. It is read as a list.
    ## Why it matters
    The reference takes it as one path and fails.
    ## Example
    `{"images": "a.jpg,b.jpg"}`
    ## Use instead
    `{"images": ["a.jpg", "b.jpg"]}`
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "comma-joined-paths"
    severity = Severity.WARNING
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        refs = (*row.checked_record.images, *row.checked_record.videos)
        for name in sorted({ref.field for ref in refs if ref.is_joined}):
            yield Problem(message=f"{name} joins several paths with commas", field=name, help="write a list of paths")
