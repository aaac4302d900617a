"""Flag files whose boxes are corner (or centre) and size. Cost: a few passes over the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext
from dataprep.rules.space_problems import verdict_problem, whole_verdicts


class BoxAsWidthAndHeight(CorpusRule):
    """Boxes of width and height taken for two corners.

    ## What it does
    Reports files in which the four numbers of at least 20 boxes of one `bbox_type` make sense as x, y, width, height
    (as in COCO) or as centre x, centre y, width, height (as in YOLO), and not as two corners.
    ## Why it matters
    Boxes whose size is larger than their position pass as corners and are trained in the wrong place.
    ## Example
    `[100, 50, 30, 40]` from a COCO annotation file
    ## Use instead
    Write x1, y1, x2, y2: x + width, y + height.
    ## Options
    None.
    ## Source
    docs/data.md; dataprep/box_readings.py says how the statistics work.
    """

    name = "box-as-width-and-height"
    severity = Severity.ERROR
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        for spaces, verdict in whole_verdicts(corpus, context):
            if verdict.found.order in ("xywh", "cxcywh"):
                yield verdict_problem(
                    spaces,
                    verdict,
                    help="write two corners: x, y, x + width, y + height (a centre: minus and plus half)",
                )
