"""Flag rows whose tags do not say where all media go. Cost: counting."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tags import IMAGE, VIDEO, count_tag


class FewerTagsThanMedia(Rule):
    """Fewer tags than images or videos.

    ## What it does
    Reports rows that have some tags but fewer than media, and rows of several turns that have none. The
    missing tags go, back to back, before the last query (or the first: --missing-image-tag).
    ## Why it matters
    Media and tags are matched in text order, so a written tag may end up with another image than was
    meant.
    ## Example
    `{"history": [["q1", "r1"]], "query": "q2", "response": "r2", "images": ["a.jpg"]}`
    ## Use instead
    Write one tag for each image, where it belongs.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "fewer-tags-than-media"
    severity = Severity.WARNING
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        record = row.checked_record
        for tag, refs in ((IMAGE, record.images), (VIDEO, record.videos)):
            count = count_tag([turn.query for turn in record.turns], tag)
            if count < len(refs) and (count or len(record.turns) > 1):
                message = f"{count} {tag} tags for {len(refs)} {tag[1:-1]}s in {len(record.turns)} turns"
                yield Problem(message=message, help=f"write one {tag} for each, where it belongs")
