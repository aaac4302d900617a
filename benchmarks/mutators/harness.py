"""Plant defects, lint, and hold what was found against what was planted.

A finding is a false alarm if the same file without the defect does not have it and the mutator does not accept it: a
wrong code on the bad row, or any code on another row. What clean rows themselves give is therefore counted apart.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.mutators import boxes, corpus, images, lengths, parsing, tags, turns, videos
from benchmarks.mutators.base import MUTATORS, Desk, Line, Mutator, Plant, join
from benchmarks.mutators.seeds import Seeds
from dataprep import lint
from dataprep.config import LintConfig
from dataprep.errors import DataprepError
from dataprep.findings import Finding

AREAS = (parsing, turns, tags, images, videos, boxes, lengths, corpus)
TOKENIZER = Path("tests/fixtures/goldens/tokenizer_nobos")

Place = tuple[int | None, str]
"""Index of the row (None for a row of the validation file or for a whole file) and rule code."""


@dataclass(slots=True)
class Outcome:
    """What became of one mutator's defects.

    Attributes:
        mutator: The mutator.
        planted: Defects planted.
        caught: Defects with a finding of an accepted code.
        hits: Findings of accepted codes on bad rows, by code.
        false_alarms: Findings that nobody planted, by code.
        examples: A few of the false alarms, in words.
        seen: Codes on the bad rows, whether accepted or not.
        error: Why the mutator could not be tried; empty if it could.
    """

    mutator: Mutator
    planted: int = 0
    caught: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    false_alarms: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    error: str = ""


def run_all(seeds: Seeds, work: Path, names: Sequence[str] = (), *, tokenizer: Path = TOKENIZER) -> list[Outcome]:
    """Try mutators on clean rows.

    Args:
        seeds: The clean rows.
        work: An empty folder for copies and damaged files.
        names: Names of the mutators to try; empty tries all.
        tokenizer: Model folder for the mutators of level 4.

    Raises:
        KeyError: If there is no such mutator.
    """
    root = work / "media"
    root.mkdir(parents=True)
    seeds.copy_media(root)
    chosen = [MUTATORS[name] for name in names] or list(MUTATORS.values())
    return [_try(mutator, seeds, root, tokenizer) for mutator in chosen]


def _try(mutator: Mutator, seeds: Seeds, root: Path, tokenizer: Path) -> Outcome:
    rows = seeds.rows[mutator.seeds]
    outcome = Outcome(mutator)
    if len(rows) < 2:
        outcome.error = f"only {len(rows)} clean rows of kind {mutator.seeds}"
        return outcome
    plant = mutator.plant(rows, Desk(root, random.Random(mutator.name), mutator.name))
    config = _options(mutator, root, tokenizer)
    outcome.planted = 1 if plant.targets is None else len(plant.targets)
    try:
        clean = _lint(root / "clean", config, plant.clean, plant.clean_val, None, plant.suffix)
        found = _lint(root / "planted" / mutator.name, config, plant.train, plant.val, plant.data, plant.suffix)
    except DataprepError as error:  # a crash is a miss with a reason, not the end of the benchmark
        outcome.error = f"lint failed: {error}"
        return outcome
    _judge(outcome, plant, Counter(place for place, _ in clean), found)
    return outcome


def _options(mutator: Mutator, root: Path, tokenizer: Path) -> dict[str, Any]:
    options = {key: value for key, value in mutator.options.items() if key != "tokenizer"}
    if "tokenizer" in mutator.options:
        options |= {"model_type": "internvl2-1b", "model": tokenizer}
    return options | {"media_root": root, "level": mutator.level}


def _lint(
    folder: Path,
    options: dict[str, Any],
    train: list[Line],
    val: list[Line] | None,
    data: bytes | None,
    suffix: str,
) -> list[tuple[Place, Finding]]:
    """Write the files, lint them and return the findings with their places."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"train{suffix}"
    path.write_bytes(join(train) if data is None else data)
    others: tuple[str, ...] = ()
    if val:
        (folder / "val.jsonl").write_bytes(join(val))
        others = (str(folder / "val.jsonl"),)
    report = lint([str(path)], LintConfig(**options, val=others))
    starts = _first_lines(train) if data is None else None
    return [((_row_of(finding, str(path), starts), finding.code), finding) for finding in report.findings]


def _first_lines(lines: list[Line]) -> dict[int, int]:
    """Return the index of the row that each line of the file belongs to; a bad row may spread over lines."""
    rows: dict[int, int] = {}
    number = 1
    for index, line in enumerate(lines):
        for _ in range(1 + (line.count(b"\n") if isinstance(line, bytes) else 0)):
            rows[number] = index
            number += 1
    return rows


def _row_of(finding: Finding, path: str, rows: dict[int, int] | None) -> int | None:
    if finding.location.path != path or not finding.location.line:
        return None
    return finding.location.line - 1 if rows is None else rows[finding.location.line]


def _judge(outcome: Outcome, plant: Plant, before: Counter[Place], found: list[tuple[Place, Finding]]) -> None:
    mutator = outcome.mutator
    whole_file = plant.targets is None
    targets = plant.targets if plant.targets is not None else []
    bad_rows = {index for target in targets for index in target}
    caught: set[int] = set()
    file_is_caught = False
    left = Counter(before)
    for (row, code), finding in found:
        if left[row, code] > 0:  # the clean file has it too
            left[row, code] -= 1
            continue
        is_on_target = whole_file or row in bad_rows
        if is_on_target:
            outcome.seen[code] += 1
        if is_on_target and code in mutator.codes:
            outcome.hits[code] += 1
            if _says(finding, mutator.says):
                file_is_caught = True
                caught |= {n for n, target in enumerate(targets) if row in target}
        elif not (code in mutator.also or (code in mutator.codes and row is None)):
            outcome.false_alarms[code] += 1
            if len(outcome.examples) < 3:
                outcome.examples.append(f"{code} line {finding.location.line}: {finding.message[:160]}")
    outcome.caught = int(file_is_caught) if whole_file else len(caught)


def _says(finding: Finding, text: str) -> bool:
    label = finding.fix.label if finding.fix is not None else ""
    return text.lower() in f"{finding.message} {finding.help or ''} {label}".lower()
