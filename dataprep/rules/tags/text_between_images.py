"""Flag rows whose images the model cannot tell apart. Cost: a text search."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tags import IMAGE, count_tag


def _missing_tags_join(row: CheckedRow, context: RuleContext) -> bool:
    """Whether tags that are still missing would come to stand right before the ones that are written."""
    turns = row.checked_record.turns
    at = 0 if context.missing_image_tag == "first" else len(turns) - 1
    return turns[at].query.startswith(IMAGE)


class TextBetweenImages(Rule):
    """Text or turns between images, for a model with one image place.

    ## What it does
    Reports, for internvl-chat-v1_5 and mini-internvl types, rows that have anything between two images:
    text, white space or turns. Needs --for.
    ## Why it matters
    These templates hold all tiles in one run; the reference deletes the text in between, whole turns
    included.
    ## Example
    `{"query": "Image-1: <image> Image-2: <image>", ...}` for internvl-chat-v1_5
    ## Use instead
    Put the tags next to each other in one turn, or train an internvl2 type.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "text-between-images"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        model_type, record = context.model_type, row.checked_record
        if model_type is None or model_type.has_separate_images:
            return
        with_images = [turn for turn in record.turns if IMAGE in turn.query]
        gaps = [gap for turn in with_images for gap in turn.query.split(IMAGE)[1:-1]]
        tagged = count_tag([turn.query for turn in with_images], IMAGE)
        is_spread = len(with_images) > 1 or (0 < tagged < len(record.images) and not _missing_tags_join(row, context))
        if any(gaps) or is_spread:
            message = f"something stands between two images, for which {model_type.name} has no place"
            yield Problem(
                message=message, help="put the tags next to each other in one turn, or choose an internvl2 type"
            )
