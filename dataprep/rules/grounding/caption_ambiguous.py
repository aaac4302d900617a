"""Flag referring texts that one query uses for several things. Cost: counting."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.records import GroundedObject
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tags import REF_OBJECT


def _asked_for(row: CheckedRow) -> Iterator[tuple[GroundedObject, bool]]:
    """Yield each object that a placeholder names, and whether that stands in a query."""
    record = row.checked_record
    left = iter(record.objects or ())
    for turn in record.turns:
        for text, is_query in ((turn.query, True), (turn.response, False)):
            for _ in range(text.count(REF_OBJECT)):
                entry = next(left, None)
                if entry is None:
                    return
                yield entry, is_query


class CaptionAmbiguous(Rule):
    """One referring text for several objects of a query.

    ## What it does
    Reports queries that ask for two objects of one image by the same caption.
    ## Why it matters
    The question does not say which thing is meant. Where all things of a kind are asked for and all are answered,
    nothing is wrong; otherwise no answer can be right.
    ## Example
    "Find `<ref-object>` and `<ref-object>`", both of them `the man`
    ## Use instead
    Write captions that tell the objects apart: `the man on the left`. Or ask once, with all boxes in one object.
    ## Options
    None.
    ## Source
    docs/data.md, objects
    """

    name = "caption-ambiguous"
    severity = Severity.INFO
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each caption that names several things."""
        if not row.checked_record.objects or row.checked_record.captions is not None:
            return
        groups: dict[tuple[str, int], list[GroundedObject]] = {}
        for entry, is_query in _asked_for(row):
            caption = (entry.caption or "").strip().casefold()
            if caption and is_query:
                groups.setdefault((caption, entry.image), []).append(entry)
        for group in groups.values():
            num_boxes = len({entry.boxes for entry in group})
            if num_boxes > 1:
                message = f"the query asks {len(group)} times for {group[0].caption!r}, with {num_boxes} boxes"
                step = "write captions that tell them apart, unless all of them are asked for"
                yield Problem(message=message, field=f"{group[1].field}.caption", help=step)
