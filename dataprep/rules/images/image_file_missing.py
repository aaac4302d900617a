"""Flag images with no file behind them. Cost: one stat per reference."""

from __future__ import annotations

from dataprep.findings import Fix
from dataprep.media.index import MediaFacts
from dataprep.rules.base import CheckedRow, MediaRule
from dataprep.rules.fixes import correct_path
from dataprep.rules.media_roots import help_for_missing


class ImageFileMissing(MediaRule):
    """Image reference with no file behind it.

    ## What it does
    Reports every image path that does not exist under the media root; names files that differ in letter
    case or a few letters, never in their numbers, and the folder from which the file is there.
    ## Why it matters
    Trainers replace such a row with a random other one, or stop hours into a run.
    ## Example
    `{"images": ["a/1.jpg"]}` with no `a/1.jpg` under the media root
    ## Use instead
    Mend the path, or give --media-root the folder that the paths are relative to.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "image-file-missing"
    reasons = ("missing",)

    def help_for(self, row: CheckedRow, facts: MediaFacts) -> str:
        """Return the media root under which there is such a file, if there is one."""
        return help_for_missing(row, facts)

    def fix_for(self, row: CheckedRow, facts: MediaFacts) -> Fix | None:
        """Return the fix that names the nearest file."""
        return correct_path(row, facts)
