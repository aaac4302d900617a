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
    Reports non-empty `audios`, `tools` and `rejected_response`, and messages whose `loss`, `loss_scale` or
    `loss_weight` asks for anything but loss on every answer and on nothing else. The reference and its kin read them.
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
        weight = 0 if message.get("role", message.get("from")) in ("user", "human", "system") else 1
        for key, usual in (("loss", bool(weight)), ("loss_scale", 1), ("loss_weight", weight)):
            value = message.get(key)
            if value is not None and value != usual:
                text = f"{key} is {shorten(value)}, but every answer is trained on alike"
                yield Problem(message=text, field=f"{name}[{index}].{key}", help="leave the field or the row out")
