"""Text from data, made fit to be shown: nothing that a terminal, an XML reader or a log would act on."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from dataprep.findings import Finding

_LONGEST_TEXT = 1000  # characters of one path, field or message


def make_visible(text: str) -> str:
    """Return text from the data without anything that a terminal would act on.

    Control characters (escape sequences among them), invisible and direction-changing characters are shown as
    escapes, so that data can neither colour, move nor hide what is printed.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def plain(text: str) -> str:
    """Return text from the data visible and short enough to read."""
    if len(text) > _LONGEST_TEXT:
        text = f"{text[: _LONGEST_TEXT - 100]}... ({len(text):,} characters)"
    return make_visible(text)


def describe(finding: Finding) -> str:
    """Return field, message and help of a finding as one line."""
    field = f"{finding.field}: " if finding.field else ""
    help_text = f"; help: {finding.help}" if finding.help else ""
    return plain(f"{field}{finding.message}{help_text}")


def file_uri(path: str) -> str:
    """Return a data file's name as a URI: relative to this folder where it lies inside, as code hosts expect it."""
    if path == "-":
        return "stdin"
    place = Path(path)
    if place.is_absolute() and place.is_relative_to(Path.cwd()):
        place = place.relative_to(Path.cwd())
    name = quote(place.as_posix().encode("utf-8", "surrogateescape"))
    return f"file://{name}" if place.is_absolute() else name
