"""Check the usual rows of a block at once: native rows of one turn, with lists of images and objects or without.

One loop without calls, for it takes most of the time of levels 0 and 1. A row that is not usual is given to whoever
checks rows one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dataprep.plain.names import NORMAL, are_normal
from dataprep.plain.shapes import BOX_LIMITS, Tally
from dataprep.tags import BBOX, IMAGE, REF_OBJECT

_MOST_ANSWERS = 64
_ANSWERS = tuple(BBOX * count for count in range(_MOST_ANSWERS))


def check_usual(
    rows: list[Any],
    *,
    has_history: bool,
    most_images: int,
    num_counted: int,
    check_closely: Callable[[Any], Tally | None],
) -> Tally:
    """Replace rows that are not plain by None, and return what the others account for, added up.

    Args:
        rows: Parsed native rows.
        has_history: Whether any may have a history.
        most_images: Images that a usual row has at most.
        num_counted: How many fields of :data:`~dataprep.plain.shapes.COUNTED` are optional.
        check_closely: Returns what a row accounts for, whatever it is like; None if it is not plain.
    """

    def check(rows: list[Any], normal: Mapping[Any, str] | None) -> tuple[Tally, dict[Any, int]]:
        return _check(rows, normal, has_history, most_images, check_closely)

    checked = list(rows)
    tally, names = check(checked, None)
    if not are_normal(names):  # some are one name but for case and space, or are none: compare them as rules do
        checked = list(rows)
        tally, _ = check(checked, NORMAL)
    rows[:] = checked
    return num_counted * len(rows) + tally[0], tally[1]


def _check(
    rows: list[Any],
    normal: Mapping[Any, str] | None,
    has_history: bool,
    most_images: int,
    check_closely: Callable[[Any], Tally | None],
) -> tuple[Tally, dict[Any, int]]:
    """Check rows; return what they account for, and the captions of usual rows.

    A tag that is found at least as often as it must occur is enough: what a row accounts for is held against its bytes.

    Args:
        rows: The rows.
        normal: Captions as rules compare them; None compares them as they are.
        has_history: As above.
        most_images: As above.
        check_closely: As above.
    """
    unset, answers, limits = msgspec.UNSET, _ANSWERS, BOX_LIMITS
    num_keys = num_tags = 0
    names: dict[Any, int] = {}  # with the last row that each occurred in
    for index, row in enumerate(rows):
        images, objects = row.images, row.objects
        if has_history and row.history:
            num_keys -= (images is unset) + (objects is unset)
        elif not objects:
            if objects is unset:
                num_keys -= 1
            if not images:
                if images is unset:
                    num_keys -= 1
                if row.response.isspace():
                    rows[index] = None
                continue
            if type(images) is list and _shows(row.query, images, most_images) and not row.response.isspace():
                num_tags += len(images)
                continue
        elif not images:
            if images is unset:
                num_keys -= 1
        elif type(images) is list and type(objects) is list and (query := row.query):
            num_images, count = len(images), len(objects)
            if (
                (
                    (IMAGE in query and (image := images[0]) and not image.isspace())
                    if num_images == 1
                    else _shows(query, images, most_images)
                )
                and ((REF_OBJECT in query) if count == 1 else query.count(REF_OBJECT) == count)
                and (
                    (answer := row.response) == (answers[count] if count < _MOST_ANSWERS else None)
                    or answer.count(BBOX) == count
                )
            ):
                for entry in objects:
                    x1, y1, x2, y2 = entry.bbox
                    if x1 >= x2 or y1 >= y2 or entry.image >= num_images:
                        break
                    if entry.bbox_type != "real" and (x2 if x2 > y2 else y2) > limits[entry.bbox_type]:
                        break
                    name = entry.caption if normal is None else normal[entry.caption]
                    if (name in names and names[name] == index) or not name:
                        break
                    names[name] = index
                else:
                    num_keys += 4 * count
                    num_tags += num_images + 2 * count
                    continue
        tally = check_closely(row)
        if tally is None:
            rows[index] = None
        else:
            num_keys += tally[0]
            num_tags += tally[1]
    return (num_keys, num_tags), names


def _shows(query: Any, images: list[str], most_images: int) -> bool:
    """Whether a query has one tag for each of some images, none of which is blank."""
    num_images = len(images)
    if not query or num_images > most_images or query.count(IMAGE) != num_images:
        return False
    return all(images) and not any(map(str.isspace, images))
