"""Flag fields that look like misspelt known ones. Cost: none beyond reading."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from dataprep.findings import Edit, Fix, Problem
from dataprep.formats.reading import COLUMNS, KNOWN_FIELDS
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class UnknownFieldNearKnown(Rule):
    """Unknown field that looks like a known one.

    ## What it does
    Reports fields whose name is close to a field of the row's format, such as `image` for `images`, also in
    `objects` given as lists (`refs` for `ref`).
    Other unknown fields are left alone.
    ## Why it matters
    The reference drops unknown fields in silence: the row would train without its picture.
    ## Example
    `{"query": "q", "response": "r", "image": "a.jpg"}`
    ## Use instead
    `{"query": "q", "response": "r", "images": ["a.jpg"]}`
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "unknown-field-near-known"
    level = Level.SHAPE

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        if row.record is None or row.value is None:
            return
        known = KNOWN_FIELDS[row.record.row_format]
        for name in row.value:
            near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8) if name not in known else []
            if near:
                message = f"the field {name!r} is not read; {near[0]!r} is"
                fix = None
                if row.value.get(near[0]) is None:
                    edits = (Edit(path=(near[0],), value=row.value[name]), Edit(path=(name,), removes=True))
                    fix = Fix(label=f"rename {name} to {near[0]}", is_safe=True, edits=edits)
                yield Problem(message=message, field=name, help=f"rename it to {near[0]!r}", fix=fix)
        objects = row.value.get("objects")
        for name in objects if isinstance(objects, dict) else ():
            near = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.8) if name not in COLUMNS else []
            if near:
                message = f"the field {name!r} of objects is not read; {near[0]!r} is"
                yield Problem(message=message, field=f"objects.{name}", help=f"rename it to {near[0]!r}")
