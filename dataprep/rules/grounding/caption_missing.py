"""Flag used captions that are no text. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tags import REF_OBJECT


class CaptionMissing(Rule):
    """Object without the caption that a tag asks for.

    ## What it does
    Reports objects whose caption is missing or null where `<ref-object>` occurs.
    ## Why it matters
    The reference prints the word None.
    ## Example
    `{"caption": null, ...}` with `<ref-object>` in the query
    ## Use instead
    Write the caption.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "caption-missing"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        record = row.checked_record
        if not any(REF_OBJECT in text for turn in record.turns for text in (turn.query, turn.response)):
            return
        for field, caption in record.caption_texts():
            if caption is None:
                yield Problem(
                    message="an object has no caption, but <ref-object> asks for it",
                    field=field,
                    help="write the caption",
                )
