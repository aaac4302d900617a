"""Flag objects that are not caption, box, type and image. Cost: none beyond reading."""

from __future__ import annotations

import difflib
from typing import Any

from dataprep.findings import Edit, Fix
from dataprep.parsing import parse_embedded
from dataprep.rules.base import CheckedRow, ShapeRule
from dataprep.rules.fixes import path_of, value_at
from dataprep.schema import ShapeProblem

_REQUIRED = ("bbox", "bbox_type", "image")
_KNOWN = (*_REQUIRED, "caption")


def _rename(entry: dict[str, Any]) -> dict[str, str]:
    """Return the new names of the keys of an object that are nearly those which it lacks."""
    renamed: dict[str, str] = {}
    for key in entry:
        lacking = [name for name in _KNOWN if name not in entry and name not in renamed.values()]
        near = difflib.get_close_matches(key.lower(), lacking, n=1, cutoff=0.75) if key not in _KNOWN else []
        if near:
            renamed[key] = near[0]
    return renamed


def _read_number(value: Any) -> Any:
    """Return the number that a text spells, and any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        number = parse_embedded(value.strip())
    except ValueError:
        return value
    return number if type(number) in (int, float) else value


def _read_box(value: Any) -> Any:
    """Return a box with numbers for texts, also one that is a single text such as ``1, 2, 3, 4``."""
    if isinstance(value, str):
        value = [part for part in value.strip().strip("[]()").replace(",", " ").split(" ") if part]
    if not isinstance(value, list):
        return value
    return [[_read_number(n) for n in inner] if isinstance(inner, list) else _read_number(inner) for inner in value]


_READERS = {"bbox": _read_box, "image": _read_number}


def _has_one_image(row: CheckedRow) -> bool:
    images = (row.value or {}).get("images")
    return isinstance(images, str) or (isinstance(images, list) and len(images) == 1)


class ObjectMalformed(ShapeRule):
    """Object of the wrong shape.

    ## What it does
    Reports `objects` that is no list (or JSON text of one), and entries without bbox, bbox_type or
    image, or with a box that is not four numbers or a list of such boxes.
    ## Why it matters
    A missing number or key ends the reference's run; a list in place of an object is never normalised.
    ## Example
    `{"caption": "cat", "bbox": [1, 2, 3], "bbox_type": "real", "image": 0}`
    ## Use instead
    `{"caption": "cat", "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0}`
    ## Options
    None.
    ## Source
    schemas/object.schema.json
    """

    name = "object-malformed"
    kinds = ("object-shape",)

    def fix_for(self, row: CheckedRow, problem: ShapeProblem) -> Fix | None:
        """Return one fix for all that is beyond doubt in an object: near keys, numbers as text, the only image."""
        path = path_of(problem.field)[:2]
        entry = value_at(row.value, path) if row.value is not None and len(path) == 2 else None
        if not isinstance(entry, dict):
            return None
        fields: dict[str, Any] = entry
        renamed = _rename(fields)
        mended = {renamed.get(key, key): value for key, value in fields.items()}
        if "image" not in mended and _has_one_image(row):
            mended["image"] = 0
        mended |= {name: read(mended[name]) for name, read in _READERS.items() if name in mended}
        changed: list[str] = [name for name, value in mended.items() if name not in entry or value != entry[name]]
        if not changed:
            return None
        edits = [Edit(path=(*path, name), value=mended[name]) for name in changed]
        edits += [Edit(path=(*path, name), removes=True) for name in renamed]
        label = ", ".join(f"rename {old} to {new}" for old, new in renamed.items()) or f"mend {', '.join(changed)}"
        return Fix(label=label, is_safe=True, edits=tuple(edits))
