"""Flag tags that are spelled almost right. Cost: a text search."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataprep.findings import Edit, Fix, Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import set_value, text_at
from dataprep.tags import BBOX, IMAGE, REF_OBJECT, VIDEO, count_tag

_NEAR = re.compile(r"<\s*([A-Za-z][A-Za-z_ -]{1,18}?)\s*/?\s*>")
_MEANT = {
    "image": IMAGE, "images": IMAGE, "img": IMAGE, "imagehere": IMAGE, "imageplaceholder": IMAGE, "picture": IMAGE,
    "video": VIDEO, "videos": VIDEO, "bbox": BBOX, "bboxes": BBOX, "boundingbox": BBOX,
    "refobject": REF_OBJECT, "refobjects": REF_OBJECT, "objectref": REF_OBJECT,
}  # fmt: skip
_EXACT = frozenset({IMAGE, VIDEO, BBOX, REF_OBJECT, "<img>"})


def _meant(match: re.Match[str]) -> str | None:
    """Return the tag that a near one stands for; None for a right one, or for something else."""
    if match[0] in _EXACT:
        return None
    return _MEANT.get(re.sub("[_ -]", "", match[1]).lower())


class TagMisspelt(Rule):
    """Tag that is not spelled as it must be.

    ## What it does
    Reports tags such as `<Image>`, `<images>`, `<image />`, `<VIDEO>`, `<bbox >` or `<ref_object>`
    in rows that have more images, videos or objects than tags for them.
    ## Why it matters
    Tags are case sensitive and exact: any other spelling is trained on as text, and the image goes
    somewhere else.
    ## Example
    `{"query": "<Image>What is this?", "response": "r", "images": ["a.jpg"]}`
    ## Use instead
    `<image>`, `<video>`, `<bbox>`, `<ref-object>`
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "tag-misspelt"
    severity = Severity.WARNING
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each field with misspelt tags, where tags are wanting."""
        record = row.checked_record
        fields = [pair for turn in record.turns for pair in ((turn.query_field, turn.query, True),
                  (turn.response_field, turn.response, False))]  # fmt: skip
        near = [
            (field, match[0], tag)
            for field, text, is_query in fields
            if "<" in text
            for match in _NEAR.finditer(text)
            if (tag := _meant(match)) is not None and (is_query or tag in (BBOX, REF_OBJECT))
        ]
        if not near:
            return
        num_objects = len(record.objects or ())
        wanted = {IMAGE: len(record.images), VIDEO: len(record.videos), BBOX: num_objects, REF_OBJECT: num_objects}
        texts = [text for _, text, _ in fields]
        for tag, count in wanted.items():
            found = [(field, spelling) for field, spelling, meant in near if meant == tag]
            exact = count_tag(texts, tag)
            if found and exact < count:
                field, spelling = found[0]
                message = f"{spelling} is no tag and stays plain text; the tag is {tag}"
                fix = _spell_right(row, found, tag) if exact + len(found) <= count else None
                yield Problem(message=message, field=field, help=f"write {tag}", fix=fix)


def _spell_right(row: CheckedRow, found: list[tuple[str, str]], tag: str) -> Fix | None:
    edits: list[Edit] = []
    spellings: dict[str, set[str]] = {}
    for field, spelling in found:
        spellings.setdefault(field, set()).add(spelling)
    for field, used in spellings.items():
        text = text_at(row.value, field)
        if text is None:
            return None
        for spelling in used:
            text = text.replace(spelling, tag)
        edits.append(set_value(field, text))
    return Fix(label=f"write {tag} for {found[0][1]}", is_safe=True, edits=tuple(edits))
