"""Flag empty entries in media lists. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Edit, Fix, Problem
from dataprep.records import MediaRef
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import path_of, value_at
from dataprep.tags import IMAGE, VIDEO, count_tag


def _take_out(row: CheckedRow, ref: MediaRef) -> Fix | None:
    """Return the fix that takes an entry out, where no tag and no object can have meant it."""
    record = row.checked_record
    tag, refs = (IMAGE, record.images) if ref.kind == "image" else (VIDEO, record.videos)
    tags = count_tag([turn.query for turn in record.turns], tag)
    path = path_of(ref.field)
    is_entry = row.value is not None and path[0] in ("images", "videos") and not value_at(row.value, path)
    if not is_entry or record.objects or tags > sum(bool(other.source) for other in refs):
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
        for ref in (*row.checked_record.images, *row.checked_record.videos):
            if not ref.source:
                message = (
                    f"{ref.field} holds an {ref.kind} tag without a path" if ref.inline else f"{ref.field} is empty"
                )
                step, fix = "take the entry out, with its tag", _take_out(row, ref)
                yield Problem(message=message, field=ref.field, help=step, fix=fix)
