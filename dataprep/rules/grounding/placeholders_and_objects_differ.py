"""Flag rows whose placeholders do not match their objects. Cost: counting."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tags import BBOX, REF_OBJECT, count_tag
from dataprep.wording import counted


def _plural(name: str) -> str:
    return name.replace("entry", "entries") if name.endswith("entry") else f"{name}s"


class PlaceholdersAndObjectsDiffer(Rule):
    """Placeholders and objects that do not match.

    ## What it does
    Reports rows in which `<bbox>` or `<ref-object>` occurs, but not exactly once for each object, and
    rows whose objects no placeholder uses. Where `ref` and `bbox` are lists of different lengths, each is
    counted for itself.
    ## Why it matters
    The n-th placeholder takes the n-th object: one too few shifts all that follow, or trains on the tag
    as text.
    ## Example
    `{"query": "Find <ref-object>", "response": "<bbox>", "objects": []}`
    ## Use instead
    Write each kind of placeholder that you use once for each object.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "placeholders-and-objects-differ"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        record = row.checked_record
        texts = [text for turn in record.turns for text in (turn.query, turn.response)]
        num_objects = len(record.objects or ())
        counts = {tag: count_tag(texts, tag) for tag in (BBOX, REF_OBJECT)}
        wanted = {BBOX: (num_objects, "object"), REF_OBJECT: (num_objects, "object")}
        if record.captions is not None:  # columns of different lengths
            wanted = {BBOX: (num_objects, "bbox entry"), REF_OBJECT: (len(record.captions), "ref entry")}
        for tag, count in counts.items():
            number, name = wanted[tag]
            if count != number and (count or record.captions is not None):
                yield Problem(
                    message=f"{counted(count, f'{tag} tag')} for {counted(number, name, _plural(name))}",
                    field="objects",
                    help=f"write one for each {name}",
                )
        if num_objects and record.captions is None and not any(counts.values()):
            message = f"{counted(num_objects, 'object')}, but neither {BBOX} nor {REF_OBJECT} in the text"
            yield Problem(message=message, field="objects", help="say in the text where boxes and captions go")
