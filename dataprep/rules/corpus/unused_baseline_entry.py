"""Flag entries of a baseline that accept nothing. Cost: none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dataprep.findings import CorpusProblem, Location, Severity
from dataprep.rules.base import AnyRule, Level


class UnusedBaselineEntry(AnyRule):
    """Entry of a baseline that accepts no finding any more.

    ## What it does
    Reports each entry of the file given with `--baseline` whose rule ran and found nothing to accept: the row has been
    mended, changed or taken out. Says nothing after a run over some of the rows (`--sample`) or one that was
    stopped (`--max-findings`), nor about rules that did not run.
    ## Why it matters
    An entry that nobody needs hides the same defect when it comes back.
    ## Example
    An entry `{"code": "M301", "row": "5d1f..."}` for a row whose picture is there by now.
    ## Use instead
    Run the same command with `--update-baseline`, which leaves such entries out.
    ## Options
    `--baseline FILE`; check the same data files that the baseline was made from.
    ## Source
    sqlfluff, `--warn-unused-ignores`; ruff, RUF100.
    """

    name = "unused-baseline-entry"
    severity = Severity.WARNING
    level = Level.SHAPE

    def check_entries(self, path: str, entries: Iterable[object]) -> Iterator[CorpusProblem]:
        """Yield a problem for each unused entry.

        Args:
            path: The baseline.
            entries: Its unused entries, in words.
        """
        for entry in entries:
            yield CorpusProblem(
                location=Location(path, 0),
                message=f"the baseline accepts {entry}, which was not found any more",
                help="run the same command with --update-baseline",
            )
