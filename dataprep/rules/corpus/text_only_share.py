"""Tell the share of rows without media. Cost: none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dataprep.corpus import NO_RECORD, Corpus
from dataprep.findings import CorpusProblem, Location, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext

FEWEST_ROWS = 20


class TextOnlyShare(CorpusRule):
    """Rows without media among rows with media.

    ## What it does
    Reports the share of rows without image or video where at least 20 rows have none and at least one has some.
    ## Why it matters
    Steps without an image leave the vision tower without gradients: several trainers hang there when ranks must
    stay in step (ZeRO-3). A share that nobody meant also shows that images got lost.
    ## Example
    4,000 of 10,000 rows have lost their `images` field in an export
    ## Use instead
    Nothing, if the share is what you meant: `dataprep train` keeps ranks in step.
    ## Options
    None.
    ## Source
    docs/data.md
    """

    name = "text-only-share"
    severity = Severity.INFO
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        text_only, readable = Counter[str](), 0
        for path, facts in corpus.files.items():
            text_only[path] = facts.num_media.count(0)
            readable += len(facts.num_media) - facts.num_media.count(NO_RECORD)
        count = text_only.total()
        if count < FEWEST_ROWS or count == readable:
            return
        path = max(text_only, key=lambda path: text_only[path])
        yield CorpusProblem(
            location=Location(path, 0),
            message=f"{count:,} of {readable:,} rows ({count / readable:.0%}) have neither image nor video",
            help="nothing, if you meant it: dataprep train keeps ranks in step, other trainers may hang under ZeRO-3",
        )
