"""Flag videos for models that take none. Cost: none."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class ModelWithoutVideo(Rule):
    """Video for a model that takes none.

    ## What it does
    Reports rows with videos for internvl-chat-v1_5 and mini-internvl types. Needs --for.
    ## Why it matters
    The reference renders an empty image in the video's place.
    ## Example
    `{"videos": ["a.mp4"]}` for internvl-chat-v1_5
    ## Use instead
    Choose an internvl2 type, or leave the row out.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "model-without-video"
    level = Level.TEXT

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        model_type, videos = context.model_type, row.checked_record.videos
        if model_type is not None and not model_type.has_video and videos:
            message = f"{model_type.name} takes no videos"
            yield Problem(message=message, field=videos[0].field, help="choose an internvl2 type or leave the row out")
