"""Open media files carefully and name what is wrong with them.

A path in a data row may point at anything: a folder, a pipe, a device, a pointer left behind by git LFS. Opening is
non-blocking and looks at the opened file itself, so that neither a FIFO nor a swapped file can stall or fool a
worker. Nothing here reads pixels.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dataprep.errors import MediaError

LFS_POINTER_MAGIC = b"version https://git-lfs.github.com/spec/"

# O_NONBLOCK: opening a FIFO without a writer would wait for ever otherwise; it means nothing for regular files.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def open_regular_file(path: str | Path) -> tuple[int, int]:
    """Open a regular, non-empty file for reading.

    Returns:
        A file descriptor, which the caller closes, and the size of the file in bytes.

    Raises:
        MediaError: With reason ``missing``, ``is-directory``, ``not-a-regular-file``, ``empty`` or ``unreadable``.
    """
    name = str(path)
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MediaError(name, "missing", "no such file") from error
    except (OSError, ValueError) as error:
        # A socket cannot be opened at all (ENXIO); ValueError: a null byte in the path.
        raise MediaError(name, "unreadable", f"cannot be opened: {error}") from error
    try:
        facts = os.fstat(descriptor)
        check_regular(name, facts)
    except MediaError:
        os.close(descriptor)
        raise
    return descriptor, facts.st_size


def check_regular(name: str, facts: os.stat_result) -> None:
    """Raise MediaError unless ``facts`` are those of a regular file with at least one byte."""
    if stat.S_ISDIR(facts.st_mode):
        raise MediaError(name, "is-directory", "is a directory, not a file")
    if not stat.S_ISREG(facts.st_mode):
        raise MediaError(name, "not-a-regular-file", "is a pipe, socket or device, not a regular file")
    if facts.st_size == 0:
        raise MediaError(name, "empty", "the file is empty (0 bytes); was the download cut off?")


def describe_foreign_bytes(head: bytes) -> tuple[str, str]:
    """Say what a file is that is no image of a known format.

    Args:
        head: The first bytes of the file, 64 or more where there are as many.

    Returns:
        The reason (``lfs-pointer``, ``unsupported-format`` or ``not-an-image``) and a sentence about it.
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(LFS_POINTER_MAGIC):
        return "lfs-pointer", "is a git LFS pointer, not the file itself; run 'git lfs pull'"
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("ascii", "replace").strip()
        if brand in {"heic", "heix", "heim", "heis", "hevc", "mif1", "msf1", "avif", "avis"}:
            return (
                "unsupported-format",
                f"is a HEIF or AVIF file (brand {brand}) that Pillow cannot read; convert it to JPEG or PNG",
            )
        return (
            "not-an-image",
            f"is an MP4 or QuickTime file (brand {brand}), not an image; list it under 'videos'",
        )
    if start.startswith((b"<!doctype html", b"<html", b"<?xml", b"<svg")):
        return (
            "not-an-image",
            "is an HTML, XML or SVG page, not a bitmap image; was an error page downloaded?",
        )
    if head and all(byte in _TEXT_BYTES for byte in head[:64]):
        return (
            "not-an-image",
            f"is text, not an image; it begins with {head[:24].decode('utf-8', 'replace')!r}",
        )
    return "not-an-image", f"is not an image of a known format; it begins with {head[:8].hex(' ')}"


_TEXT_BYTES = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D}
