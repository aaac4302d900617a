"""Flag fields of the reference that dataprep does not act on. Cost: none beyond reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.schema import shorten


class FieldNotSupported(Rule):
    """Field of the reference that is not supported.

    ## What it does
    Reports non-empty `audios`, `tools` and `rejected_response`, and messages with `loss: false` or a `loss_scale`
    other than 1, which the reference reads and dataprep does not.
    ## Why it matters
    Training without them would teach something else than the row says.
    ## Example
    `{"query": "q", "response": "r", "tools": "[...]"}`
    ## Use instead
    Write tool descriptions into `system`; leave rows with audio out. An answer that shall not be learnt is no
    answer of a row: cut the conversation behind it.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "field-not-supported"
    level = Level.SHAPE

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        if row.record is None or row.value is None:
            return
        for name in ("audios", "tools", "rejected_response"):
            if row.value.get(name):
                yield Problem(
                    message=f"the field {name!r} is not supported", field=name, help="leave the field or the row out"
                )
        if row.record.row_format in ("messages", "conversations"):
            messages = row.value[row.record.row_format]
            assert isinstance(messages, list)  # as the schema says
            yield from _weights(row.record.row_format, messages)


def _weights(name: str, messages: list[Any]) -> Iterator[Problem]:
    for index, message in enumerate(messages):
        for key, usual in (("loss", True), ("loss_scale", 1)):
            value = message.get(key)
            if value is not None and value != usual:
                text = f"{key} is {shorten(value)}, but every answer is trained on alike"
                yield Problem(message=text, field=f"{name}[{index}].{key}", help="leave the field or the row out")
