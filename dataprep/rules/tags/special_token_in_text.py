"""Flag control tokens spelled out in the data. Cost: a text search."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.templates import CONTROL_TOKENS


def _texts(row: CheckedRow) -> Iterator[tuple[str, str]]:
    record = row.checked_record
    yield "system", record.system or ""
    for turn in record.turns:
        yield turn.query_field, turn.query
        yield turn.response_field, turn.response
    for field, caption in record.caption_texts():
        yield field, caption or ""


class SpecialTokenInText(Rule):
    """Control token spelled out in the text.

    ## What it does
    Reports texts and captions that contain a token of turns and ends (`<|im_end|>`, `</s>`, ...),
    `<IMG_CONTEXT>`, or an `<img>` that encloses no path. Silent with --special-text keep.
    ## Why it matters
    The tokenizer reads it as the token itself: the turn ends in the middle of the text, or an image is
    expected.
    ## Example
    `{"query": "what does <|im_end|> mean?", "response": "..."}`
    ## Use instead
    Write it differently, or pass --special-text keep if the token is meant.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "special-token-in-text"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        if context.special_text == "keep":
            return
        tokens = context.special_tokens or CONTROL_TOKENS
        starts = {token[0] for token in tokens}
        for field, text in _texts(row):
            found = [token for token in tokens if token in text] if any(start in text for start in starts) else []
            if found:
                message = f"{field} spells out {found[0]}, which the tokenizer reads as the token itself"
                yield Problem(
                    message=message,
                    field=field,
                    help="write it differently, or pass --special-text keep if it is meant",
                )
