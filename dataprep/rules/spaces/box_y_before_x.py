"""Flag files whose boxes are y1, x1, y2, x2. Cost: a few passes over the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext
from dataprep.rules.space_problems import verdict_problem, whole_verdicts


class BoxYBeforeX(CorpusRule):
    """Boxes with y before x.

    ## What it does
    Reports files in which at least 20 boxes of type `real` leave their images as x1, y1, x2, y2 and fit them as
    y1, x1, y2, x2. Normalised numbers cannot tell the two apart.
    ## Why it matters
    Boxes are trained mirrored at the diagonal.
    ## Example
    `[400, 600, 470, 630]` on a 640x480 image: x and y are swapped
    ## Use instead
    Write x1, y1, x2, y2.
    ## Options
    None.
    ## Source
    docs/data.md; dataprep/box_readings.py says how the statistics work.
    """

    name = "box-y-before-x"
    severity = Severity.ERROR
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        for spaces, verdict in whole_verdicts(corpus, context):
            if verdict.found.order == "yxyx":
                yield verdict_problem(spaces, verdict, help="swap the numbers in pairs: x1, y1, x2, y2")
