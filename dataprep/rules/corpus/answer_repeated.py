"""Flag data sets with one answer in most rows. Cost: one hash per row."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Location, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext

FEWEST_ROWS = 100


class AnswerRepeated(CorpusRule):
    """One answer in more than half of the rows.

    ## What it does
    Reports the most frequent last answer where it stands in more than half of all rows, of 100 or more. Boxes and
    captions count as the text that they become.
    ## Why it matters
    The model learns to give that answer without looking.
    ## Example
    `No.` in 9,120 of 10,000 rows
    ## Use instead
    Balance the answers, or drop rows of the frequent one.
    ## Options
    None.
    ## Source
    docs/data.md
    """

    name = "answer-repeated"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        if sum(len(facts.answers) for facts in corpus.files.values()) < FEWEST_ROWS:
            return
        import numpy as np

        columns = [np.array(facts.answers) for facts in corpus.files.values()]
        answers = np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)
        hashes, counts = np.unique(answers[answers != 0], return_counts=True)
        total = int(counts.sum())
        if total < FEWEST_ROWS or 2 * int(counts.max()) <= total:
            return
        answer, count = int(hashes[counts.argmax()]), int(counts.max())
        for path, facts in corpus.files.items():
            if answer in facts.answers:
                line = facts.lines[facts.answers.index(answer)]
                text = next((f.answer_texts[answer] for f in corpus.files.values() if answer in f.answer_texts), None)
                shown = "one answer" if text is None else f"the answer {text!r}"
                yield CorpusProblem(
                    location=Location(path, line),
                    message=f"{shown} is given in {count:,} of {total:,} rows ({count / total:.0%}, first here)",
                    help="balance the answers: the model would learn to give this one without looking",
                )
                return
