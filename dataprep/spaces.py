"""The coordinate-space detective: tell from all boxes of a file together which space their numbers are really in.

Files, the folders of their images, and images that EXIF turns are judged each on their own; dataprep/box_readings.py
says how. Then single rows that disagree with the rest are looked for.

Below 20 boxes nothing is said. What cannot be told apart is not: x and y of normalised numbers, boxes on square
images in the wrong order, corner and size of boxes near the top left. Cost: a few numpy passes over the boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.box_readings import (
    FAR_OUT,
    FEWEST_AT_EDGE,
    FEWEST_BOXES,
    STANDS,
    Bools,
    Boxes,
    Hypothesis,
    Verdict,
    fit,
    judge,
    judge_turned,
)
from dataprep.corpus import BBOX_TYPE_CODES, Corpus, Facts

MOST_JUDGED = 200_000
"""Boxes of a file that are judged, spread evenly; rows that disagree are looked for among all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """A row whose boxes are in another space than the rest: its line, its first odd box, and what that fits."""

    line: int
    box: tuple[float, ...]
    found: Hypothesis


@dataclass(slots=True, kw_only=True)
class FileSpaces:
    """What the detective says about the boxes of one file that are declared as one type.

    Attributes:
        path: The file.
        bbox_type: The declared type.
        boxes: Number of boxes.
        whole: The verdict on all of them, or None.
        turned: The verdict on those of images that EXIF turns by a quarter, or None.
        folders: Verdicts on single folders of images, where the whole has none.
        mixed: Shares of the boxes that fit one hypothesis each, where two are needed.
        grid_999: How many boxes end at 999, where the numbers are of a grid of 0..999; 0 otherwise.
        odd: Rows that disagree with the rest.
    """

    path: str
    bbox_type: str
    boxes: int
    whole: Verdict | None = None
    turned: Verdict | None = None
    folders: dict[str, Verdict] = field(default_factory=dict)
    mixed: dict[Hypothesis, tuple[int, int]] = field(default_factory=dict)
    grid_999: int = 0
    odd: list[Odd] = field(default_factory=list)


def spaces_of(corpus: Corpus, *, exif: str) -> list[FileSpaces]:
    """Return what the detective says about each file and declared type; worked out once per corpus."""
    known = corpus.analyses.get("spaces")
    if known is None:
        known = corpus.analyses["spaces"] = [
            _look_into_file(path, facts, name, exif=exif)
            for path, facts in corpus.files.items()
            for name in BBOX_TYPE_CODES
            if len(facts.boxes.lines) >= FEWEST_BOXES
        ]
    assert isinstance(known, list)
    return known


def _look_into_file(path: str, facts: Facts, bbox_type: str, *, exif: str) -> FileSpaces:
    """Judge a sample spread over the file, so that memory stays bounded; then look for odd rows in all of it."""
    total = len(facts.boxes.lines)
    step = -(-total // MOST_JUDGED)
    spaces = look_into(path, bbox_type, _boxes_of(facts, bbox_type, slice(0, None, step), exif=exif), facts.folders)
    if step > 1:
        spaces.boxes = facts.boxes.types.count(BBOX_TYPE_CODES[bbox_type])
        if spaces.whole is None and not spaces.mixed:
            named = [number for number, name in facts.folders.items() if name in spaces.folders]
            spaces.odd = []
            for start in range(0, total, MOST_JUDGED):
                boxes = _boxes_of(facts, bbox_type, slice(start, start + MOST_JUDGED), exif=exif)
                boxes = boxes.take(~np.isin(boxes.folders, named) & ~(boxes.turned & (bbox_type == "real")))
                declared = Hypothesis("xyxy", bbox_type)
                spaces.odd += _odd_rows(boxes, declared, fit(boxes, declared)) if len(boxes) else []
    return spaces


def _boxes_of(facts: Facts, bbox_type: str, part: slice, *, exif: str) -> Boxes:
    """Return the boxes of one declared type among a part of a file's boxes."""
    columns = facts.boxes
    numbers = np.frombuffer(columns.numbers, dtype=np.float32).reshape(-1, 4)[part].astype(np.float64)
    chosen = np.frombuffer(columns.types, dtype=np.uint8)[part] == BBOX_TYPE_CODES[bbox_type]
    chosen &= np.isfinite(numbers).all(axis=1)
    turned = np.frombuffer(columns.orientations, dtype=np.uint8)[part] >= 5
    width, height = (
        np.where(side == 0, np.nan, side)
        for side in (np.frombuffer(column, dtype=np.uint32)[part] for column in (columns.widths, columns.heights))
    )
    if exif == "apply":
        width, height = np.where(turned, height, width), np.where(turned, width, height)
    whole = Boxes(
        numbers,
        width,
        height,
        turned,
        np.frombuffer(columns.lines, dtype=np.int64)[part],
        np.frombuffer(columns.images, dtype=np.uint32)[part].astype(np.int64),
        np.frombuffer(columns.folders, dtype=np.uint32)[part].astype(np.int64),
    )
    return whole.take(chosen)


def look_into(path: str, bbox_type: str, boxes: Boxes, folder_names: dict[int, str]) -> FileSpaces:
    """Return what the numbers of some boxes of one declared type say."""
    spaces = FileSpaces(path=path, bbox_type=bbox_type, boxes=len(boxes))
    declared = Hypothesis("xyxy", bbox_type)
    if bbox_type == "real":
        # Turned images have two possible frames: they are a case of their own.
        spaces.turned = judge_turned(boxes.take(boxes.turned))
        boxes = boxes.take(~boxes.turned)
    if len(boxes) < FEWEST_BOXES:
        return spaces
    spaces.whole = judge(boxes, declared)
    if spaces.whole is not None:
        return spaces
    folders, counts = np.unique(boxes.folders, return_counts=True)
    for folder in folders[counts >= FEWEST_BOXES].tolist() if len(folders) > 1 else []:
        verdict = judge(boxes.take(boxes.folders == folder), declared)
        if verdict is not None:
            spaces.folders[folder_names.get(folder, "")] = verdict
    rest = boxes
    if spaces.folders:
        named = [number for number, name in folder_names.items() if name in spaces.folders]
        rest = boxes.take(~np.isin(boxes.folders, named))
    if len(rest) >= FEWEST_BOXES:
        fits = fit(rest, declared)
        if fit(rest, declared, slack=FAR_OUT).mean() < STANDS:
            spaces.mixed = _mix(rest, declared, fits)
        if not spaces.mixed:
            spaces.odd = _odd_rows(rest, declared, fits)
    if bbox_type == "norm_1000":
        spaces.grid_999 = _count_grid_999(boxes)
    return spaces


def _mix(boxes: Boxes, declared: Hypothesis, fits: Bools) -> dict[Hypothesis, tuple[int, int]]:
    """Return the two hypotheses that together fit nearly all boxes: for each its boxes, and the line of the first."""
    others = boxes.take(~fits & ~fit(boxes, declared, slack=FAR_OUT))
    if fits.sum() < FEWEST_BOXES // 2 or len(others) < FEWEST_BOXES:
        return {}
    verdict = judge(others, declared)
    if verdict is None:
        return {}
    first = int(boxes.lines[int(np.argmax(fits))])
    return {declared: (int(fits.sum()), first), verdict.found: (len(others), verdict.line)}


def _odd_rows(boxes: Boxes, declared: Hypothesis, fits: Bools) -> list[Odd]:
    """Return the rows with boxes that are far outside of what is declared, and inside of something else."""
    x1, y1, x2, y2 = boxes.numbers.T
    suspects = ~fit(boxes, declared, slack=FAR_OUT) & ~fits
    some = boxes.take(suspects & (x2 > x1) & (y2 > y1))
    found: dict[int, Odd] = {}
    for frame in ("norm_1", "real", "norm_1000"):
        if frame == declared.frame:
            continue
        hypothesis = Hypothesis("xyxy", frame)
        sized = frame != "real" or ~np.isnan(some.widths)
        for index in np.flatnonzero(fit(some, hypothesis) & sized).tolist():
            numbers = tuple(float(f"{value:.6g}") for value in some.numbers[index])
            line = int(some.lines[index])
            found.setdefault(line, Odd(line=line, box=numbers, found=hypothesis))
    return [found[line] for line in sorted(found)]


def _count_grid_999(boxes: Boxes) -> int:
    """Return how many boxes end at 999 if that is where the grid ends: many do, few just before, none at 1000."""
    ends: NDArray[Any] = boxes.numbers[:, 2:]
    whole = ends == np.floor(ends)
    at_999, at_1000 = int((ends == 999).any(axis=1).sum()), int((ends >= 1000).any(axis=1).sum())
    before = int(((ends >= 980) & (ends < 999)).sum()) / 19
    is_grid = bool(whole.all()) and at_1000 == 0 and at_999 >= FEWEST_AT_EDGE and at_999 >= 3 * before
    return at_999 if is_grid else 0


def sample_lines(corpus: Corpus, *, per_file: int = 8) -> dict[str, list[int]]:
    """Return, for each file with boxes, the lines of some rows with boxes, spread evenly; always the same ones."""
    sampled: dict[str, list[int]] = {}
    for path, facts in corpus.files.items():
        lines = np.unique(np.array(facts.boxes.lines, dtype=np.int64))
        if len(lines):
            chosen = np.linspace(0, len(lines) - 1, min(per_file, len(lines))).round().astype(np.int64)
            sampled[path] = lines[chosen].tolist()
    return sampled
