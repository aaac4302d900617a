"""Flag later turns without a question. Cost: none beyond reading."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class EmptyQueryAfterAnswer(Rule):
    """Later turn without a question.

    ## What it does
    Reports turns after the first whose query is empty.
    ## Why it matters
    The reference leaves out the separator before such a turn, so two answers run into each other.
    ## Example
    `{"history": [["q1", "r1"]], "query": "", "response": "r2"}`
    ## Use instead
    Join the two answers, or write the question.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "empty-query-after-answer"
    level = Level.SHAPE

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for turn in row.record.turns[1:] if row.record else ():
            if not turn.query:
                message = f"{turn.query_field} is empty, though an answer stands before it"
                yield Problem(
                    message=message, field=turn.query_field, help="join the two answers or write the question"
                )
