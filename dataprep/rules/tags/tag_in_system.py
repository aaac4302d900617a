"""Flag tags in the system prompt. Cost: a text search."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tags import find_inline_media, split_tags


class TagInSystem(Rule):
    """Tag in the system prompt.

    ## What it does
    Reports `<image>`, `<video>`, `<bbox>`, `<ref-object>` and `<img>path</img>` in the row's system
    prompt.
    ## Why it matters
    Only queries and answers have places for media and boxes: here the tag is trained on as text,
    and its medium moves into a query.
    ## Example
    `{"system": "Look at <image>.", "query": "q", "response": "r", "images": ["a.jpg"]}`
    ## Use instead
    Move the tag into the query.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "tag-in-system"
    severity = Severity.WARNING
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the first tag in the system prompt."""
        system = row.checked_record.system or ""
        if "<" not in system:
            return
        found = [piece for is_tag, piece in split_tags(system) if is_tag]
        found += [f"a reference to {path}" for _, path in find_inline_media(system)]
        if found:
            message = f"the system prompt holds {found[0]}, which stays plain text there"
            yield Problem(message=message, field="system", help="move it into the query")
