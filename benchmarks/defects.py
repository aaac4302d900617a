"""Defect benchmark of ``dataprep lint``: plant one defect at a time into clean real rows and see what is found.

Run it from the root of the checkout::

    python -m benchmarks.defects [../shared/real] [--only NAME ...] [--json FILE] [--verbose]

Recall is the share of planted defects that got a finding whose code names the cause. Precision is the share of
findings, beyond those of the clean rows, that point at a planted defect. What lint says of the clean files themselves
stands in a table of its own: each line is either true or a false alarm, which only a person can tell.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutators.base import MUTATORS
from benchmarks.mutators.harness import TOKENIZER, Outcome, run_all
from benchmarks.mutators.seeds import load_real
from dataprep import lint
from dataprep.config import LintConfig


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one rule, or of all.

    Attributes:
        planted: Defects that this rule is the best diagnosis of.
        caught: Those that an accepted rule found.
        hits: Findings of this rule on bad rows.
        false_alarms: Findings of this rule that nobody planted.
    """

    planted: int
    caught: int
    hits: int
    false_alarms: int

    @property
    def recall(self) -> float | None:
        """Share of the planted defects that were caught; None if none was planted."""
        return self.caught / self.planted if self.planted else None

    @property
    def precision(self) -> float | None:
        """Share of the findings that were planted; None if there are no findings."""
        total = self.hits + self.false_alarms
        return self.hits / total if total else None

    def to_json(self) -> dict[str, Any]:
        """Return the counts and shares."""
        counts = {name: getattr(self, name) for name in ("planted", "caught", "hits", "false_alarms")}
        return counts | {"recall": self.recall, "precision": self.precision}


def score(outcomes: Sequence[Outcome], code: str | None = None) -> Score:
    """Return the score of a rule; of all together without ``code``.

    A defect counts for the rule that found it; one that nothing found counts for its best diagnosis.
    """
    planted = caught = hits = false_alarms = 0
    for outcome in outcomes:
        if code in (None, _credited(outcome)):
            planted += outcome.planted
            caught += outcome.caught
        hits += sum(outcome.hits.values()) if code is None else outcome.hits[code]
        false_alarms += sum(outcome.false_alarms.values()) if code is None else outcome.false_alarms[code]
    return Score(planted, caught, hits, false_alarms)


def _credited(outcome: Outcome) -> str:
    """Return the rule that a mutator's defects count for: of the accepted ones, the one that found most."""
    accepted = outcome.mutator.codes
    return max(accepted, key=lambda code: (outcome.hits[code], -accepted.index(code)))


def _share(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.1%}"


def _lines(outcomes: Sequence[Outcome], *, verbose: bool) -> Iterator[str]:
    yield f"{'mutator':34} {'planted':>7} {'caught':>6}  found (accepted: codes)"
    for outcome in outcomes:
        if verbose or outcome.caught < outcome.planted or outcome.false_alarms or outcome.error:
            codes = " ".join(f"{code}x{count}" for code, count in sorted(outcome.seen.items())) or "nothing"
            wanted = " ".join(outcome.mutator.codes[:4]) + (" ..." if len(outcome.mutator.codes) > 4 else "")
            counts = f"{outcome.mutator.name:34} {outcome.planted:7} {outcome.caught:6}"
            yield f"{counts}  {codes} ({wanted}) {outcome.error}"
            yield from (f"    false alarm: {example}" for example in outcome.examples)
    yield ""
    yield f"{'rule':6} {'planted':>7} {'caught':>6} {'recall':>6}  {'hits':>5} {'false':>5} {'precision':>9}"
    for code in sorted(_all_codes(outcomes)):
        yield _row(code, score(outcomes, code))
    yield _row("total", score(outcomes))
    yield f"{len(outcomes)} mutators"


def _all_codes(outcomes: Sequence[Outcome]) -> set[str]:
    found: Counter[str] = Counter()
    for outcome in outcomes:
        found.update({_credited(outcome): 1, **outcome.hits, **outcome.false_alarms})
    return set(found)


def _row(name: str, counts: Score) -> str:
    return (
        f"{name:6} {counts.planted:7} {counts.caught:6} {_share(counts.recall)}  {counts.hits:5} "
        f"{counts.false_alarms:5} {_share(counts.precision):>9}"
    )


def to_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return everything that the table shows, per rule, per mutator and in total."""
    return {
        "total": score(outcomes).to_json(),
        "rules": {code: score(outcomes, code).to_json() for code in sorted(_all_codes(outcomes))},
        "mutators": {
            outcome.mutator.name: {
                "pain": outcome.mutator.pain,
                "accepted": outcome.mutator.codes,
                "planted": outcome.planted,
                "caught": outcome.caught,
                "found": dict(outcome.seen),
                "false_alarms": dict(outcome.false_alarms),
                "error": outcome.error,
            }
            for outcome in outcomes
        },
    }


def check_clean_files(folder: Path) -> dict[str, Any]:
    """Lint the files of real rows that are meant to be sound, each by itself, at level 3.

    Returns:
        Number of files and rows, and per rule its severity, how many findings it has and in how many files.
    """
    odd = ("missing", "bad", "nasty")
    paths = [path for path in sorted(folder.glob("real_rows/rows_*.json*")) if not any(w in path.name for w in odd)]
    rules: dict[str, dict[str, Any]] = {}
    rows = 0
    for path in paths:
        report = lint([str(path)], LintConfig(level=3, media_root=folder))
        rows += report.num_rows
        for code, summary in report.by_code.items():
            counts = rules.setdefault(code, {"severity": summary.severity.value, "findings": 0, "files": 0})
            counts["findings"] += summary.findings
            counts["files"] += 1
    return {"files": len(paths), "rows": rows, "rules": dict(sorted(rules.items()))}


def _clean_lines(found: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"clean files: {found['files']} files, {found['rows']} rows"
    for code, counts in found["rules"].items():
        yield f"{code:6} {counts['severity']:8} {counts['findings']:6} findings in {counts['files']} files"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables; return 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", nargs="?", type=Path, default=Path("../shared/real"), help="folder of real data")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", choices=sorted(MUTATORS))
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER, help="model folder for level 4")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--verbose", action="store_true", help="list all mutators, not only those with misses")
    options = parser.parse_args(arguments)
    if not (options.real / "real_rows").is_dir():
        parser.error(f"{options.real}: no folder real_rows in it; name the folder of real data")
    with tempfile.TemporaryDirectory() as work:
        outcomes = run_all(load_real(options.real), Path(work), options.only, tokenizer=options.tokenizer)
    clean = check_clean_files(options.real)
    print("\n".join([*_lines(outcomes, verbose=options.verbose), *_clean_lines(clean)]))
    if options.json:
        figures = to_json(outcomes) | {"clean": clean}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
