"""Flag rows with more tags than media. Cost: counting."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Fix, Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import set_value, text_at
from dataprep.tags import IMAGE, VIDEO, count_tag
from dataprep.wording import counted


def _first_with(tag: str, row: CheckedRow) -> str:
    return next(turn.query_field for turn in row.checked_record.turns if tag in turn.query)


def _take_out(tag: str, row: CheckedRow) -> Fix | None:
    """Return the fix for a row with a tag, but without any medium."""
    edits = []
    for turn in row.checked_record.turns:
        if tag in turn.query:
            text = text_at(row.value, turn.query_field)
            if text is None or tag not in text:
                return None
            edits.append(set_value(turn.query_field, text.replace(tag, "")))
    return Fix(label=f"take {tag} out", is_safe=False, edits=tuple(edits))


class MoreTagsThanMedia(Rule):
    """More tags than images or videos.

    ## What it does
    Reports rows whose queries hold more `<image>` or `<video>` tags than the row has images or videos;
    a tag without any image included.
    ## Why it matters
    The reference fails on such a row, or trains on the tag as text.
    ## Example
    `{"query": "<image><image>q", "response": "r", "images": ["a.jpg"]}`
    ## Use instead
    Add the image, or take the tag out.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "more-tags-than-media"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        record = row.checked_record
        for tag, refs in ((IMAGE, record.images), (VIDEO, record.videos)):
            count = count_tag([turn.query for turn in record.turns], tag)
            if count > len(refs):
                message = f"{counted(count, f'{tag} tag')}, but {counted(len(refs), tag[1:-1])}"
                step = f"add the {tag[1:-1]} or take the tag out"
                fix = None if refs else _take_out(tag, row)
                yield Problem(message=message, field=_first_with(tag, row), help=step, fix=fix)
