"""Flag fields of the reference that dataprep does not act on. Cost: none beyond reading."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class FieldNotSupported(Rule):
    """Field of the reference that is not supported.

    ## What it does
    Reports non-empty `audios`, `tools` and `rejected_response`, which the reference reads and dataprep
    does not.
    ## Why it matters
    Training without them would teach something else than the row says.
    ## Example
    `{"query": "q", "response": "r", "tools": "[...]"}`
    ## Use instead
    Write tool descriptions into `system`; leave rows with audio out.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "field-not-supported"
    level = Level.SHAPE

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for name in ("audios", "tools", "rejected_response"):
            if row.record is not None and row.value is not None and row.value.get(name):
                yield Problem(
                    message=f"the field {name!r} is not supported", field=name, help="leave the field or the row out"
                )
