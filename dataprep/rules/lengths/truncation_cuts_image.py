"""Flag rows in which a cut to length would fall on an image. Cost: adding up."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.spans import spans_of


class TruncationCutsImage(Rule):
    """Cutting to --max-length would cut an image.

    ## What it does
    Reports rows longer than --max-length of which the reference's truncation, which keeps the last
    tokens, would take away all or part of an image.
    ## Why it matters
    Context tokens and tiles then no longer agree: the run ends, or text is matched with other
    images. dataprep rejects such a row instead.
    ## Example
    a row of an image of 3,328 tokens and a long answer with `--max-length 4096`
    ## Use instead
    Raise --max-length, lower --max-num, or split the row.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1 (truncation_left); LlamaFactory issues 6891 and 7363
    """

    name = "truncation-cuts-image"
    severity = Severity.WARNING
    level = Level.TOKENS

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        limit = context.max_length
        if limit is None or row.num_tokens is None or row.num_tokens <= limit:
            return
        kept_from = row.num_tokens - limit
        cut = [span for span in spans_of(row) if span.images and span.start < kept_from]
        if cut:
            lost = sum(min(span.stop, kept_from) - span.start for span in cut)
            message = f"keeping the last {limit} of {row.num_tokens} tokens would cut off {lost} image tokens"
            yield Problem(message=message, help="raise --max-length, lower --max-num or split the row")
