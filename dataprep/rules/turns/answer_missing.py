"""Flag turns without an answer. Cost: none beyond reading."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import DROP_ROW


class AnswerMissing(Rule):
    """Turn without an answer.

    ## What it does
    Reports turns whose answer is missing, null or empty, in the history as well.
    ## Why it matters
    Nothing is trained on, or only the end token: the model learns to stay silent. The reference keeps
    such rows.
    ## Example
    `{"query": "q", "response": null}`
    ## Use instead
    Write the answer, or leave the row out.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "answer-missing"
    level = Level.SHAPE

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for turn in row.record.turns if row.record else ():
            if not turn.response:
                message = f"{turn.response_field} is missing or empty: there is no answer to train on"
                step = "write the answer or leave the row out"
                yield Problem(message=message, field=turn.response_field, help=step, fix=DROP_ROW)
