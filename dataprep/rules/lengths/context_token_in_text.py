"""Flag context tokens that belong to no image. Cost: a text search."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.templates import Text
from dataprep.tokenization import CONTEXT_TOKEN


class ContextTokenInText(Rule):
    """Context token that belongs to no image.

    ## What it does
    Reports rows that spell out `<IMG_CONTEXT>`, also where --special-text keep lets other control
    tokens pass.
    ## Why it matters
    Each such token stands for a part of an image. The reference gives it an id all the same, and the
    model then fails to match tokens with tiles.
    ## Example
    `{"query": "what is <IMG_CONTEXT>?", "response": "..."}` with `--special-text keep`
    ## Use instead
    Write it differently.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "context-token-in-text"
    level = Level.TOKENS

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        for part in row.layout.parts if row.layout is not None else ():
            if isinstance(part, Text) and CONTEXT_TOKEN in part.text:
                message = f"the text spells out {CONTEXT_TOKEN}, which stands for a part of an image"
                yield Problem(message=message, help="write it differently")
                return
