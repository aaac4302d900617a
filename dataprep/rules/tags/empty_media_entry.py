"""Flag empty entries in media lists. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Edit, Fix, Problem
from dataprep.records import MediaRef
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import path_of, value_at
from dataprep.tags import IMAGE, VIDEO, count_tag


def _may_go(row: CheckedRow, refs: tuple[MediaRef, ...], tag: str) -> bool:
    """Whether no tag and no object can have meant an empty entry."""
    record = row.checked_record
    tags = count_tag([turn.query for turn in record.turns], tag)
    return not record.objects and tags <= sum(bool(ref.source) for ref in refs)


def _take_out(row: CheckedRow, ref: MediaRef) -> Fix | None:
    path = path_of(ref.field)
    if row.value is None or path[0] not in ("images", "videos") or value_at(row.value, path):
        return None
    return Fix(label="take the empty entry out", is_safe=True, edits=(Edit(path=path, removes=True),))


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
        record = row.checked_record
        for refs, tag in ((record.images, IMAGE), (record.videos, VIDEO)):
            empty = [ref for ref in refs if not ref.source]
            may_go = bool(empty) and _may_go(row, refs, tag)
            for ref in empty:
                message = (
                    f"{ref.field} holds an {ref.kind} tag without a path" if ref.inline else f"{ref.field} is empty"
                )
                step, fix = "take the entry out, with its tag", _take_out(row, ref) if may_go else None
                yield Problem(message=message, field=ref.field, help=step, fix=fix)
