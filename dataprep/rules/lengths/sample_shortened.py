"""Say of rows that ``--truncation`` made fit what was left out. Cost: nothing beyond making them fit."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class SampleShortened(Rule):
    """Sample made shorter to fit --max-length.

    ## What it does
    Reports rows that come to more tokens than --max-length and that `--truncation drop-turns` or `fewer-tiles` makes
    fit, with their length before and after. Without one of the two such rows are sample-too-long.
    ## Why it matters
    The row teaches less than it says: its oldest turns are missing, or its images are seen in less detail.
    ## Example
    a row of 5,120 tokens in 6 turns with `--max-length 4096 --truncation drop-turns`
    ## Use instead
    Raise --max-length where there is memory for it.
    ## Options
    `--truncation`
    ## Source
    docs/convert.md
    """

    name = "sample-shortened"
    severity = Severity.WARNING
    level = Level.TOKENS

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield what was done to the row."""
        done = row.shortening
        if done is not None:
            message = f"{done.before} tokens, {done.after} with {done.in_words} (--max-length {context.max_length})"
            yield Problem(message=message, help="raise --max-length if memory allows, to train on all of it")
