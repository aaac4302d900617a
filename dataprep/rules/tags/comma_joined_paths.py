"""Flag several paths joined by commas in one text. Cost: one stat where a comma occurs."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Edit, Fix, Problem, Severity
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
            paths = [ref.source for ref in refs if ref.is_joined and ref.field == name]
            fix = Fix(label="write a list of paths", is_safe=True, edits=(Edit(path=(name,), value=paths),))
            message = f"{name} joins several paths with commas"
            yield Problem(message=message, field=name, help="write a list of paths", fix=fix)
