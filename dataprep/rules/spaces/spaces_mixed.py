"""Flag files that mix coordinate spaces under one bbox_type. Cost: a few passes over the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Location, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext
from dataprep.rules.space_problems import all_spaces, help_for, verdict_problem


class SpacesMixed(CorpusRule):
    """Boxes of several spaces under one name.

    ## What it does
    Reports files in which boxes of one `bbox_type` are in two spaces, each with at least 20 boxes, or where all
    boxes on the images of one folder are in another space than declared.
    ## Why it matters
    Files were put together from sources with different conventions.
    ## Example
    RefCOCO in pixels and a home-made set in thousandths, both called `real`
    ## Use instead
    Correct `bbox_type` in the rows of one source.
    ## Options
    None.
    ## Source
    docs/data.md; dataprep/box_readings.py says how the statistics work.
    """

    name = "spaces-mixed"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        for spaces in all_spaces(corpus, context):
            for folder, verdict in spaces.folders.items():
                yield verdict_problem(spaces, verdict, help=help_for(verdict), folder=folder)
            if spaces.mixed:
                parts = [
                    f"{count:,} fit {hypothesis} (first at line {line})"
                    for hypothesis, (count, line) in spaces.mixed.items()
                ]
                yield CorpusProblem(
                    location=Location(spaces.path, 0),
                    message=f"{spaces.boxes:,} boxes are called {spaces.bbox_type}, but {', '.join(parts)}",
                    help="correct the bbox_type in the rows of one source; --contact-sheet FILE.png shows the boxes",
                )
