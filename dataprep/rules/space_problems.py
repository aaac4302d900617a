"""How the rules about coordinate spaces put the detective's verdicts into words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Location
from dataprep.rules.base import RuleContext

if TYPE_CHECKING:
    from dataprep.box_readings import Verdict
    from dataprep.spaces import FileSpaces


def all_spaces(corpus: Corpus, context: RuleContext) -> Iterator[FileSpaces]:
    """Yield what the detective says about each file and bbox_type."""
    if not any(facts.boxes.lines for facts in corpus.files.values()):
        return
    from dataprep.spaces import spaces_of  # needs numpy, which data without boxes do without

    yield from spaces_of(corpus, exif=context.exif)


def whole_verdicts(corpus: Corpus, context: RuleContext) -> Iterator[tuple[FileSpaces, Verdict]]:
    """Yield the verdicts on whole files."""
    for spaces in all_spaces(corpus, context):
        if spaces.whole is not None:
            yield spaces, spaces.whole


def verdict_problem(spaces: FileSpaces, verdict: Verdict, *, help: str, folder: str | None = None) -> CorpusProblem:
    """Return the problem that a verdict is."""
    where = "" if folder is None else f" on images in {folder or '.'}"
    return CorpusProblem(
        location=Location(spaces.path, 0),
        message=f"{verdict.boxes:,} boxes{where} are called {spaces.bbox_type}, but {verdict.found_fit:.0%} of them "
        f"fit {verdict.found} and {verdict.declared_fit:.0%} what they are called "
        f"(confidence {verdict.confidence:.0%}, first at line {verdict.line})",
        help=help,
    )


def help_for(verdict: Verdict) -> str:
    """Return the next step after a verdict."""
    frame = verdict.found.frame
    if frame in ("real", "norm_1", "norm_1000") and verdict.found.order == "xyxy":
        return f"write bbox_type {frame} there; --contact-sheet FILE.png shows the boxes both ways"
    if frame not in ("real", "norm_1", "norm_1000"):
        return "make the boxes anew from the annotations: they were normalised twice"
    return "write two corners, x1, y1, x2, y2; --contact-sheet FILE.png shows the boxes"
