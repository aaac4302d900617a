"""Flag rows whose tags do not say where all media go. Cost: counting."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Fix, Problem, Severity
from dataprep.layouts import add_missing_tags
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import set_value, text_at
from dataprep.tags import IMAGE, VIDEO, count_tag
from dataprep.wording import counted


def _write_tags(row: CheckedRow, context: RuleContext) -> Fix | None:
    """Return the fix that writes all missing tags where conversion puts them."""
    record = row.checked_record
    if any(ref.inline or not ref.source for ref in (*record.images, *record.videos)):
        return None
    where, counts = context.missing_image_tag, {"num_images": len(record.images), "num_videos": len(record.videos)}
    edits = []
    for before, after in zip(record.turns, add_missing_tags(record.turns, where=where, **counts), strict=True):
        if before.query != after.query:
            text = text_at(row.value, before.query_field)
            if text is None or not before.query.startswith(text):  # content in parts has no place for a tag
                return None
            new_tags = after.query.removesuffix(before.query)
            edits.append(set_value(before.query_field, new_tags + text))
    return Fix(label=f"write the missing tags into the {where} query", is_safe=True, edits=tuple(edits))


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
                turns = counted(len(record.turns), "turn")
                message = f"{counted(count, f'{tag} tag')} for {counted(len(refs), tag[1:-1])} in {turns}"
                step = f"write one {tag} for each, where it belongs"
                yield Problem(message=message, help=step, fix=_write_tags(row, context))
