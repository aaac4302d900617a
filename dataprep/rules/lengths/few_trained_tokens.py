"""Flag rows of which next to nothing is trained. Cost: adding up."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.spans import spans_of

SMALLEST_SHARE = 0.01


class FewTrainedTokens(Rule):
    """Less than one token in a hundred is trained.

    ## What it does
    Reports rows fewer than 1 % of whose tokens carry loss, the end token included.
    ## Why it matters
    The whole row is computed for a word or two: such rows fill the batches and teach little.
    ## Example
    a yes/no question about an image of 13 tiles: 2 of 3,400 tokens
    ## Use instead
    Ask several questions about the image in one row, or lower --max-num.
    ## Options
    None.
    ## Source
    docs/data.md; labels as dataprep/tokenization.py writes them
    """

    name = "few-trained-tokens"
    severity = Severity.INFO
    level = Level.TOKENS

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        if not row.num_tokens:
            return
        trained = sum(span.num_trained for span in spans_of(row))
        share = trained / row.num_tokens
        if 0 < share < SMALLEST_SHARE:
            message = f"{trained} of {row.num_tokens} tokens are trained, {share:.2%}; {row.num_image_tokens} are image"
            yield Problem(message=message, help="ask several questions in one row, or lower --max-num")
