"""Flag image files whose name ends as another format. Cost: none beyond the header."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext

_JPEG, _TIFF = ("JPEG", "MPO"), ("TIFF",)
# Formats by the endings that people use for them; endings of no image are the mark of a file that was never one.
_FORMATS: dict[str, tuple[str, ...]] = {
    ".jpg": _JPEG, ".jpeg": _JPEG, ".jpe": _JPEG, ".jfif": _JPEG, ".mpo": _JPEG, ".png": ("PNG",), ".apng": ("PNG",),
    ".gif": ("GIF",), ".webp": ("WEBP",), ".bmp": ("BMP", "DIB"), ".dib": ("BMP", "DIB"), ".tif": _TIFF,
    ".tiff": _TIFF, ".avif": ("AVIF",), ".heic": ("HEIF",), ".heif": ("HEIF",), ".ico": ("ICO",), ".psd": ("PSD",),
    ".txt": (), ".json": (), ".html": (), ".htm": (), ".pdf": (), ".zip": (), ".mp4": (), ".svg": (), ".csv": (),
}  # fmt: skip


class ImageExtensionWrong(Rule):
    """Image under the ending of another format.

    ## What it does
    Reports files whose name ends as another format than the one that they are of.
    ## Why it matters
    Readers that go by the name fail or fall back to slow paths; the file often was renamed, not
    converted.
    ## Example
    a WebP picture named `cat.png`
    ## Use instead
    Rename the file as its format wants it, here and in the rows.
    ## Options
    None.
    ## Source
    The reference, ms-swift 2.6.1; docs/data.md
    """

    name = "image-extension-wrong"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each image file that is misnamed."""
        for facts in row.images:
            if facts.header is None or facts.path is None:
                continue
            ending = facts.path.suffix.lower()
            formats = _FORMATS.get(ending)
            if formats is not None and facts.header.format not in formats:
                message = f"{facts.shown_source} is a {facts.header.format} file under the ending {ending}"
                yield Problem(message=message, field=facts.ref.field, help="rename the file, here and in the rows")
