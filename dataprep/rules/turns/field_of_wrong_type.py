"""Flag fields that are not of the type that the schema asks for. Cost: none beyond reading."""

from __future__ import annotations

from dataprep.rules.base import ShapeRule


class FieldOfWrongType(ShapeRule):
    """Field of the wrong type.

    ## What it does
    Reports a field whose value is not what the schema of its row format allows.
    ## Why it matters
    A number or a list where text is expected is trained on as its printed form, or ends the run.
    ## Example
    `{"query": 5, "response": "r"}`
    ## Use instead
    `{"query": "5", "response": "r"}`
    ## Options
    None.
    ## Source
    The row schemas (schemas/row.*.schema.json).
    """

    name = "field-of-wrong-type"
    kinds = ("wrong-shape",)
