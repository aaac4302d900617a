"""Flag objects whose coordinates are of no known type. Cost: none beyond reading."""

from __future__ import annotations

from dataprep.rules.base import ShapeRule


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
