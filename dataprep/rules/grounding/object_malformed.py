"""Flag objects that are not caption, box, type and image. Cost: none beyond reading."""

from __future__ import annotations

from dataprep.rules.base import ShapeRule


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
