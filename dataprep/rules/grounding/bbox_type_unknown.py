"""Flag objects whose coordinates are of no known type. Cost: none beyond reading."""

from __future__ import annotations

import re

from dataprep.findings import Fix
from dataprep.rules.base import CheckedRow, ShapeRule
from dataprep.rules.fixes import path_of, set_value, value_at
from dataprep.schema import ShapeProblem

_SPELLINGS = {"real": "real", "norm1": "norm_1", "norm1000": "norm_1000"}
_GUESSES = dict.fromkeys(("pixel", "pixels", "px", "abs", "absolute", "xyxy"), "real")


class BboxTypeUnknown(ShapeRule):
    """Unknown bbox_type.

    ## What it does
    Reports objects whose `bbox_type` is not `real`, `norm_1` or `norm_1000`.
    ## Why it matters
    The reference prints such a box as it is, in whatever coordinates it has.
    ## Example
    `"bbox_type": "pixel"`
    ## Use instead
    `"bbox_type": "real"` for pixels, `norm_1` for 0..1, `norm_1000` for 0..1000
    ## Options
    None.
    ## Source
    schemas/object.schema.json
    """

    name = "bbox-type-unknown"
    kinds = ("bbox-type",)

    def fix_for(self, row: CheckedRow, problem: ShapeProblem) -> Fix | None:
        """Return the fix for another spelling of a known type, or for a word that most likely means pixels."""
        value = None if row.value is None else value_at(row.value, path_of(problem.field))
        word = re.sub(r"[^a-z0-9]", "", value.lower()) if isinstance(value, str) else ""
        known = _SPELLINGS.get(word)
        meant = known or _GUESSES.get(word)
        if meant is None:
            return None
        edit = set_value(problem.field, meant)
        return Fix(label=f"write bbox_type as {meant}", is_safe=known is not None, edits=(edit,))
