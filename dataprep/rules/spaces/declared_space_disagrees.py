"""Flag files whose boxes are in another space than they say. Cost: a few passes over the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext
from dataprep.rules.space_problems import help_for, verdict_problem, whole_verdicts


class DeclaredSpaceDisagrees(CorpusRule):
    """All boxes of a file in another space than it declares.

    ## What it does
    Reports, with a confidence, files in which the numbers of at least 20 boxes of one `bbox_type` fit another space:
    pixels called thousandths and the reverse, 0..1 called pixels, numbers that were normalised twice.
    ## Why it matters
    Every box of the file is trained in the wrong place, and most of them look valid one by one.
    ## Example
    `bbox_type: norm_1000` over pixels of 640x480 images
    ## Use instead
    Change `bbox_type` in the whole file, after a look at the contact sheet (`--contact-sheet`).
    ## Options
    None.
    ## Source
    docs/data.md; dataprep/box_readings.py says how the statistics work.
    """

    name = "declared-space-disagrees"
    severity = Severity.ERROR
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        for spaces, verdict in whole_verdicts(corpus, context):
            if verdict.found.order == "xyxy":
                yield verdict_problem(spaces, verdict, help=help_for(verdict))
