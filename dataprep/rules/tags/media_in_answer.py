"""Flag answers that hold media. Cost: a text search."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tags import IMAGE, VIDEO, find_inline_media


class MediaInAnswer(Rule):
    """Image or video in an answer.

    ## What it does
    Reports answers with `<image>` or `<video>` tags, or `<img>path</img>`.
    ## Why it matters
    These models do not write images; the reference puts a wrong label there.
    ## Example
    `{"query": "q", "response": "<image>r", "images": ["a.jpg"]}`
    ## Use instead
    Move the image into the query.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "media-in-answer"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for turn in row.checked_record.turns:
            if IMAGE in turn.response or VIDEO in turn.response or find_inline_media(turn.response):
                message = f"{turn.response_field} holds an image or video; a model answers in text"
                yield Problem(message=message, field=turn.response_field, help="move it into the query")
