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

_ANSWERS = tuple(BBOX * count for count in range(64))


def check_usual(
    rows: list[Any], *, most_images: int, num_counted: int, check_closely: Callable[[Any], Tally | None]
) -> Tally:
    """Replace rows that are not plain by None, and return what the others account for, added up.

    Args:
        rows: Parsed native rows without a history.
        most_images: Images that a usual row has at most.
        num_counted: How many fields of :data:`~dataprep.plain.shapes.COUNTED` are optional.
        check_closely: Returns what a row accounts for, whatever it is like; None if it is not plain.
    """
    checked = list(rows)
    tally, names = _check(checked, None, most_images, check_closely)
    if not are_normal(names):  # some are one name but for case and space, or are none: compare them as rules do
        checked = list(rows)
        tally, _ = _check(checked, NORMAL, most_images, check_closely)
    rows[:] = checked
    return num_counted * len(rows) + tally[0], tally[1]


def _check(
    rows: list[Any], normal: Mapping[Any, str] | None, most_images: int, check_closely: Callable[[Any], Tally | None]
) -> tuple[Tally, dict[Any, int]]:
    """Check rows; return what they account for, and the captions of usual rows.

    A tag that is found at least as often as it must occur is enough: what a row accounts for is held against its bytes.

    Args:
        rows: The rows.
        normal: Captions as rules compare them; None compares them as they are.
        most_images: As above.
        check_closely: As above.
    """
    unset, answers, limits = msgspec.UNSET, _ANSWERS, BOX_LIMITS
    num_keys = num_tags = 0
    names: dict[Any, int] = {}  # with the last row that each occurred in
    for index, row in enumerate(rows):
        images, objects = row.images, row.objects
        if not images:
            if images is unset:
                num_keys -= 1
            if not objects:
                if objects is unset:
                    num_keys -= 1
                if row.response.isspace():
                    rows[index] = None
                continue
        elif objects is unset:
            num_keys -= 1
        query = row.query
        if query and type(images) is list and images and (not objects or type(objects) is list):
            num_images = len(images)
            if num_images == 1:
                is_usual = IMAGE in query and images[0] and not images[0].isspace()
            else:
                is_usual = query.count(IMAGE) == num_images <= most_images and not any(map(_is_blank, images))
            answer = row.response
            if not objects:
                if is_usual and not answer.isspace():
                    num_tags += num_images
                    continue
            elif is_usual:
                count = len(objects)
                is_usual = (REF_OBJECT in query) if count == 1 else query.count(REF_OBJECT) == count
                if is_usual and (answer == (answers[count] if count < 64 else None) or answer.count(BBOX) == count):
                    for entry in objects:
                        x1, y1, x2, y2 = entry.bbox
                        if x1 >= x2 or y1 >= y2 or entry.image >= num_images:
                            break
                        kind = entry.bbox_type
                        if kind != "real" and (x2 if x2 > y2 else y2) > limits[kind]:
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


def _is_blank(text: str) -> bool:
    return not text or text.isspace()
