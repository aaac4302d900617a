"""Flag rows of which no trained token is left. Cost: adding up."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.spans import spans_of


class NoTrainedToken(Rule):
    """No token to train on within --max-length.

    ## What it does
    Reports rows whose first trained token stands at or behind --max-length, and rows without any.
    ## Why it matters
    A trainer that cuts such a row off at the end sees a loss of zero, or none at all, and goes on.
    ## Example
    a row of 5,000 tokens of images and question with `--max-length 4096`
    ## Use instead
    Raise --max-length, lower --max-num, or shorten the question.
    ## Options
    None.
    ## Source
    InternVL issues 347 and 742; LLaVA issues 375, 1166 and 1706
    """

    name = "no-trained-token"
    level = Level.TOKENS

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        if row.num_tokens is None:
            return
        first = next((span.start for span in spans_of(row) if span.num_trained), None)
        limit = context.max_length
        if first is None:
            yield Problem(message="no token of the row is trained", help="write an answer or leave the row out")
        elif limit is not None and first >= limit:
            message = f"the first trained token is number {first + 1}, behind --max-length {limit}"
            yield Problem(message=message, help="raise --max-length, lower --max-num or shorten the question")
