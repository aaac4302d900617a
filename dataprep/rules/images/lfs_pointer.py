"""Flag git LFS pointers in place of files. Cost: a header read."""

from __future__ import annotations

from dataprep.rules.base import MediaRule


class LfsPointer(MediaRule):
    """Git LFS pointer in place of the file.

    ## What it does
    Reports media files that hold the text of a git LFS pointer.
    ## Why it matters
    The repository was cloned without its large files.
    ## Example
    `version https://git-lfs.github.com/spec/v1` in `a.png`
    ## Use instead
    Run `git lfs pull` in that repository.
    ## Options
    None.
    ## Source
    docs/data.md, "Media paths"
    """

    name = "lfs-pointer"
    reasons = ("lfs-pointer",)
    kinds = ("image", "video")
    help = "run git lfs pull in the repository that it came from"
