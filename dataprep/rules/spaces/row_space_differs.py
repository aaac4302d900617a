"""Flag rows whose boxes are in another space than those of the rest. Cost: a few passes over the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Location, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext
from dataprep.rules.space_problems import all_spaces


class RowSpaceDiffers(CorpusRule):
    """Row with boxes in another space than the rest of the file.

    ## What it does
    Reports rows whose boxes are far outside of what they are declared as (or all within 0..1) and fit another space,
    in a file where at least 90 % of 20 or more boxes are what they are declared as.
    ## Why it matters
    The row came from another source, and was not converted.
    ## Example
    `[0.1, 0.2, 0.5, 0.6]` called `real` among 5,000 boxes in pixels
    ## Use instead
    Correct the `bbox_type` of the row.
    ## Options
    None.
    ## Source
    docs/data.md; dataprep/box_readings.py says how the statistics work.
    """

    name = "row-space-differs"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        for spaces in all_spaces(corpus, context):
            for odd in spaces.odd:
                numbers = [int(number) if number == int(number) else number for number in odd.box]
                yield CorpusProblem(
                    location=Location(spaces.path, odd.line),
                    field="objects",
                    message=f"box {numbers} fits {odd.found}, the other {spaces.bbox_type} boxes of the file "
                    f"({spaces.boxes:,} in all) do not",
                    help="correct the bbox_type of this row",
                )
