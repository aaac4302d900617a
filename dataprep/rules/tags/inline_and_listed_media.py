"""Flag rows that name media in two ways. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class InlineAndListedMedia(Rule):
    """Media both listed and written into the text.

    ## What it does
    Reports rows that have `images` and also `<img>path</img>` in their text (or `videos` and
    `<video>path</video>`).
    ## Why it matters
    In which order the two are to be matched is not defined; releases of the reference differ.
    ## Example
    `{"query": "<img>a.jpg</img>q", "response": "r", "images": ["b.jpg"]}`
    ## Use instead
    Use one of the two ways.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "inline-and-listed-media"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for refs, name in ((row.checked_record.images, "images"), (row.checked_record.videos, "videos")):
            inline = [ref for ref in refs if ref.inline]
            if inline and len(inline) < len(refs):
                message = f"of {len(refs)} {name}, {len(inline)} in the text and {len(refs) - len(inline)} in a field"
                yield Problem(message=message, field=inline[0].field, help="use one of the two ways for all")
