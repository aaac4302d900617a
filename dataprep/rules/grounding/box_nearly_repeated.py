"""Flag boxes that are there twice. Cost: arithmetic on boxes of one caption."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.records import GroundedObject, Number
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext

_SAME_OVERLAP = 0.95
_MOST_COMPARISONS = 200_000
_Entry = tuple[GroundedObject, tuple[Number, ...]]


def _overlap(one: tuple[Number, ...], two: tuple[Number, ...]) -> float:
    """Return intersection over union, 0..1."""
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = ((one[2] - one[0]) * (one[3] - one[1]), (two[2] - two[0]) * (two[3] - two[1]))
    return float(width * height / (sum(areas) - width * height))


def _repeats(group: list[_Entry]) -> Iterator[tuple[_Entry, _Entry]]:
    """Yield each box that nearly repeats another one of its group, with that one.

    Sorted by x1, so that few have to be compared; a row of thousands of boxes on top of each other is not compared to
    the end.
    """
    group = sorted(group, key=lambda pair: pair[1][0])
    repeated: set[int] = set()
    left = _MOST_COMPARISONS
    for index, (entry, box) in enumerate(group):
        if index in repeated:
            continue
        reach = box[0] + (1 - _SAME_OVERLAP) * (box[2] - box[0])
        for number in range(index + 1, len(group)):
            other, other_box = group[number]
            left -= 1
            if other_box[0] > reach or left < 0:
                break
            if number not in repeated and other is not entry and _overlap(box, other_box) >= _SAME_OVERLAP:
                repeated.add(number)
                yield (entry, box), (other, other_box)


class BoxNearlyRepeated(Rule):
    """Box that is nearly the same as another.

    ## What it does
    Reports objects whose box overlaps that of another object with the same caption on the same
    image by 95 % or more.
    ## Why it matters
    One thing that is annotated twice is taught twice, and an evaluator counts one of the two
    answers as false.
    ## Example
    two `cat` boxes `[10, 10, 90, 90]` and `[10, 11, 90, 90]`
    ## Use instead
    Keep one of the two objects, with its placeholders.
    ## Options
    None.
    ## Source
    docs/data.md, objects
    """

    name = "box-nearly-repeated"
    severity = Severity.WARNING
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each object whose box another one has, too."""
        objects = row.checked_record.objects or ()
        if len(objects) < 2:
            return
        groups: dict[tuple[object, ...], list[_Entry]] = {}
        for entry in objects:
            caption = (entry.caption or "").strip().casefold()
            groups.setdefault((caption, entry.image, entry.bbox_type), []).extend((entry, box) for box in entry.boxes)
        for group in groups.values():
            for pair in _repeats(group):
                (first, box), (second, other) = sorted(pair, key=lambda one: int(one[0].field[8:-1]))
                message = f"box {list(other)} is nearly the same as {list(box)} of {first.field}, of equal caption"
                yield Problem(message=message, field=f"{second.field}.bbox", help="keep one of the two objects")
