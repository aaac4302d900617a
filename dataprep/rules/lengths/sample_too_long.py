"""Flag samples longer than the limit. Cost: tokenizing the row."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class SampleTooLong(Rule):
    """Sample longer than --max-length.

    ## What it does
    Reports rows that come to more tokens than --max-length, image tokens included, and says how many
    are text and how many image.
    ## Why it matters
    The reference counts an image as about four tokens, so rows of 3,000 tokens pass a limit of 2,048
    and fill the memory later.
    ## Example
    a row of 3,411 tokens with `--max-length 2048`
    ## Use instead
    Raise --max-length, lower --max-num, or split the row. The help says what each `--truncation` would do.
    ## Options
    `--truncation drop-turns` or `fewer-tiles` makes rows fit where they can; `error` lets none through.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "sample-too-long"
    level = Level.TOKENS

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        limit = context.max_length
        if limit is not None and row.num_tokens is not None and row.num_tokens > limit:
            text = row.num_tokens - row.num_image_tokens
            share = f"{text} text, {row.num_image_tokens} image"
            message = f"{row.num_tokens} tokens, {row.num_tokens - limit} over --max-length {limit} ({share})"
            step = "raise --max-length, lower --max-num or split the row"
            ways = [f"--truncation {way.policy}: {way.after} tokens with {way.in_words}" for way in row.remedies]
            if context.finds_remedies:
                step += f"; {'; '.join(ways) or 'no --truncation makes it fit'}"
            yield Problem(message=message, help=step)
