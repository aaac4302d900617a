"""Tell files whose thousandths are a grid of 0..999. Cost: a pass over the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Location, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext
from dataprep.rules.space_problems import all_spaces


class GridOf999(CorpusRule):
    """Thousandths that end at 999.

    ## What it does
    Reports files with `norm_1000` boxes, all whole numbers, many of which end at 999, few just before it and none at
    1000: they were made with `* 999`, as ms-swift does.
    ## Why it matters
    The swift box style writes `norm_1000` numbers as they are and other types on 0..999; the internvl style is
    0..1000. A mix is off by 0.1 % at the far edge: rarely more than a pixel.
    ## Example
    boxes of full images as `[0, 0, 999, 999]`
    ## Use instead
    Nothing with `--box-style swift`; with `internvl` multiply by 1000/999.
    ## Options
    None.
    ## Source
    docs/data.md; dataprep/box_readings.py says how the statistics work.
    """

    name = "grid-of-999"
    severity = Severity.INFO
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        for spaces in all_spaces(corpus, context):
            if spaces.grid_999:
                yield CorpusProblem(
                    location=Location(spaces.path, 0),
                    message=f"{spaces.grid_999:,} of {spaces.boxes:,} norm_1000 boxes end at 999 and none at 1000: "
                    "the numbers are a grid of 0..999",
                    help="nothing with --box-style swift, which uses this grid; it is 0.1 % off with internvl",
                )
