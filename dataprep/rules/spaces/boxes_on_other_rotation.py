"""Flag files whose boxes lie on images turned by EXIF. Cost: a few passes over the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.corpus import Corpus
from dataprep.findings import CorpusProblem, Location, Severity
from dataprep.rules.base import CorpusRule, Level, RuleContext
from dataprep.rules.space_problems import all_spaces


class BoxesOnOtherRotation(CorpusRule):
    """Boxes that fit the rotated image, not the one that is trained on.

    ## What it does
    Reports files in which at least 10 boxes on images with a quarter turn in their EXIF orientation leave the image
    as it is read, and fit it the other way round (with `--exif apply`: the image as stored).
    ## Why it matters
    The box lies on another part of the picture: annotation tools show it upright, trainers read it as stored.
    ## Example
    boxes of an annotation tool on phone photos
    ## Use instead
    Pass `--exif apply` (or leave it out, if it is on), or rotate the pixels and drop the tag.
    ## Options
    None.
    ## Source
    docs/data.md; dataprep/box_readings.py says how the statistics work.
    """

    name = "boxes-on-other-rotation"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check_corpus(self, corpus: Corpus, context: RuleContext) -> Iterator[CorpusProblem]:
        """Yield what is wrong with the rows as a whole."""
        for spaces in all_spaces(corpus, context):
            verdict = spaces.turned
            if verdict is None:
                continue
            is_applied = context.exif == "apply"
            space = "the image as stored" if is_applied else "the upright image"
            yield CorpusProblem(
                location=Location(spaces.path, 0),
                message=f"{verdict.boxes:,} boxes lie on images that EXIF turns by a quarter: {verdict.found_fit:.0%} "
                f"of them fit {space}, {verdict.declared_fit:.0%} the image as it is read "
                f"(confidence {verdict.confidence:.0%}, first at line {verdict.line})",
                help="leave out --exif apply" if is_applied else "pass --exif apply, or rotate the pixels",
            )
