"""Tell how unevenly the captions of objects occur. Cost: one count per object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dataprep.corpus import MOST_LABELS, Corpus
from dataprep.findings import CorpusProblem, Location, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext

FEWEST_OBJECTS = 200


class LabelsUnbalanced(CorpusRule):
    """One caption for nearly all objects, or captions with next to no objects.

    ## What it does
    Reports data sets with at least 200 objects and a set of labels (each caption occurs 5 times on average) where
    the most frequent caption stands at more than 80 % of the objects, or at 100 times as many as the rarest.
    ## Why it matters
    The model names the frequent label whatever it sees, and rare ones it never learns.
    ## Example
    `car` at 95,000 of 100,000 objects, `bicycle` at 12
    ## Use instead
    Sample frequent labels less, or collect more of the rare ones.
    ## Options
    None.
    ## Source
    docs/data.md
    """

    name = "labels-unbalanced"
    severity = Severity.INFO
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        labels = Counter[str]()
        for facts in corpus.files.values():
            labels.update(facts.labels)
        total = labels.total()
        if total < FEWEST_OBJECTS or not 2 <= len(labels) <= min(MOST_LABELS, total // 5):
            return
        (most, count), (rarest, few) = labels.most_common(1)[0], min(labels.items(), key=lambda item: item[1])
        if count <= 0.8 * total and count < 100 * few:
            return
        path = max(corpus.files, key=lambda path: corpus.files[path].labels[most])
        yield CorpusProblem(
            location=Location(path, 0),
            message=f"{most!r} is the caption of {count:,} of {total:,} objects ({count / total:.0%}), "
            f"{rarest!r} that of {few:,}; {len(labels):,} captions in all",
            help="sample the frequent captions less, or collect more of the rare ones",
        )
