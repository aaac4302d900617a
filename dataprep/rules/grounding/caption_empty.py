"""Flag referring texts of nothing but white space. Cost: counting."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tags import REF_OBJECT


class CaptionEmpty(Rule):
    """Referring text that is empty.

    ## What it does
    Reports captions that are empty or blank where `<ref-object>` asks for them.
    ## Why it matters
    The question does not say which thing is meant, so no answer to it can be right.
    ## Example
    "Find `<ref-object>`", and the caption is `""`
    ## Use instead
    Write what the box shows.
    ## Options
    None.
    ## Source
    docs/data.md, objects
    """

    name = "caption-empty"
    severity = Severity.WARNING
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each caption that names nothing."""
        record = row.checked_record
        asked = sum(text.count(REF_OBJECT) for turn in record.turns for text in (turn.query, turn.response))
        for field, caption in record.caption_texts()[:asked]:
            if caption is not None and not caption.strip():
                message = "the caption is empty, but <ref-object> asks for it"
                yield Problem(message=message, field=field, help="write what the box shows")
