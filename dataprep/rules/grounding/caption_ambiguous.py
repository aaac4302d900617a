"""Flag referring texts that point at nothing or at two things. Cost: counting."""

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
    """Referring text that is empty or not unique.

    ## What it does
    Reports captions that are empty or blank where `<ref-object>` asks for them, and queries that
    ask for two objects of one image by the same caption.
    ## Why it matters
    The question does not say which thing is meant, so no answer to it can be right.
    ## Example
    "Find `<ref-object>` and `<ref-object>`", both of them `the man`
    ## Use instead
    Write captions that tell the objects apart: `the man on the left`.
    ## Options
    None.
    ## Source
    docs/data.md, objects
    """

    name = "caption-ambiguous"
    severity = Severity.WARNING
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each caption that names nothing, or what another one names."""
        if not row.checked_record.objects:
            return
        groups: dict[tuple[str, int], list[GroundedObject]] = {}
        for entry, is_query in _asked_for(row):
            caption = (entry.caption or "").strip().casefold()
            if not caption and entry.caption is not None:
                message = "the caption is empty, but <ref-object> asks for it"
                yield Problem(message=message, field=f"{entry.field}.caption", help="write what the box shows")
            elif caption and is_query:
                groups.setdefault((caption, entry.image), []).append(entry)
        for group in groups.values():
            num_boxes = len({entry.boxes for entry in group})
            if num_boxes > 1:
                message = f"the query asks {len(group)} times for {group[0].caption!r}, with {num_boxes} boxes"
                step = "write captions that tell them apart"
                yield Problem(message=message, field=f"{group[1].field}.caption", help=step)
