"""Numbers that tell whether two media of a data set are one; they hold within one run only."""

from __future__ import annotations

import os
from functools import lru_cache

from dataprep.media.index import MediaFacts
from dataprep.rules.frames import video_of


def file_key(facts: MediaFacts) -> int:
    """Return a number for the file behind a reference; see :func:`file_key_and_size`."""
    return file_key_and_size(facts)[0]


def file_key_and_size(facts: MediaFacts) -> tuple[int, int]:
    """Return a number for the file behind a reference, the same through whatever links, and its size in bytes."""
    if facts.data is not None:
        return hash(facts.data), len(facts.data)
    if facts.file is None:
        return 0, 0
    try:
        found = os.stat(facts.file)  # noqa: PTH116 - once per reference
    except OSError:
        return 0, 0
    return hash((found.st_dev, found.st_ino)), found.st_size


def video_key(facts: MediaFacts) -> int:
    """Return a number for the video that a file is, or is a frame of; 0 for other images."""
    if facts.file is None:
        return 0
    name = video_of(facts.file, is_video=facts.ref.kind == "video")
    return 0 if name is None else hash(name)


@lru_cache(maxsize=10_000)
def hash_file(file: str) -> bytes | None:
    """Return the content hash of a file, 16 bytes; None if it cannot be read."""
    import hashlib

    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - a path takes longer to make than to open
            return hashlib.file_digest(stream, "sha256").digest()[:16]
    except OSError:
        return None
