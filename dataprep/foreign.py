"""Tell a file that holds no rows at all from one with bad rows, by its first line and the byte behind it.

A table, an archive or one object printed over many lines would else be a broken row per line, thousands of them, and
not one would say what is wrong. Only what is certain is named here; all else is left to the rules about rows.
"""

from __future__ import annotations

import re

_MAGICS = (
    (b"PAR1", "a Parquet file; write it as JSON Lines first"),
    (b"ARROW1", "an Arrow file; write it as JSON Lines first"),
    (b"PK\x03\x04", "a ZIP archive or Excel file; unpack it or write it as JSON Lines first"),
    (b"\x1f\x8b", "a gzip file without the ending .gz; rename it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file without the ending .zst; rename it"),
    (b"SQLite format 3\x00", "an SQLite database; write it as JSON Lines first"),
    (b"%PDF-", "a PDF file"),
    (b"\x80\x04\x95", "a Python pickle; write it as JSON Lines first"),
    (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
    (b"{\x00", "UTF-16 text; save it as UTF-8"),
    (b"[\x00", "UTF-16 text; save it as UTF-8"),
    (b"\x00{", "UTF-16 text; save it as UTF-8"),
    (b"version https://git-lfs.github.com/spec/", "a git LFS pointer; run git lfs pull where it came from"),
)
_MARKUP = (b"<!doctype html", b"<html", b"<?xml")
_CELL = rb'(?:"[^"{}\[\]]*"|[\w .-]+)'
_TABLE_HEAD = re.compile(_CELL + rb"(?:[,;\t|]" + _CELL + rb")+")
# A line that opens an object and cannot be all of it, and what the next one begins with when it goes on.
_OPEN_OBJECT = re.compile(rb"\{(?:.*[,:{\[])?")
_CONTINUES = (b" ", b"\t", b'"', b"}", b"\r", b"\n")


def describe_foreign_data(line: bytes, behind: bytes) -> str | None:
    """Say what a file is that holds no rows; None if it may hold some.

    Args:
        line: Its first line that is not blank, without byte order mark.
        behind: What follows that line, as far as it is known; empty at the end of the file.
    """
    for magic, kind in _MAGICS:
        if line.startswith(magic):
            return f"the file is no JSON but {kind}"
    text = line.strip()
    if text.lower().startswith(_MARKUP):
        return "the file is no JSON but an HTML or XML page; was an error page downloaded?"
    if behind.startswith((b"{", b"[")):
        return None  # The next line looks like a row, so this one is just a bad one.
    if _TABLE_HEAD.fullmatch(text) and behind:
        return f"the file is no JSON but a table (CSV) that begins with {text[:60].decode('utf-8', 'replace')!r}"
    if _OPEN_OBJECT.fullmatch(text) and behind.startswith(_CONTINUES):
        return "the file holds one JSON object over many lines, not one row per line"
    return None
