"""What can be known of an image only by decoding it, or by reading all of its bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from dataprep.errors import MediaError
from dataprep.media.decode import open_rgb
from dataprep.media.index import MediaFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFacts:
    """What decoding showed.

    Attributes:
        content_hash: Hash of the encoded bytes, 16 bytes; None if they cannot be read.
        perceptual_hash: 64 bits that stay alike when a picture is re-encoded or resized; None if it cannot be decoded.
        error: Why the pixels cannot be used, or None.
    """

    content_hash: bytes | None = None
    perceptual_hash: int | None = None
    error: MediaError | None = None


def read_pixels(facts: MediaFacts) -> PixelFacts:
    """Read and decode the image behind some facts; media that cannot be used have none."""
    if facts.error is not None or facts.header is None:
        return PixelFacts()
    try:
        data = facts.data if facts.data is not None else _read(facts)
        digest = hashlib.sha256(data).digest()[:16]
    except OSError as error:
        detail = f"cannot be read any more: {error.strerror}"
        return PixelFacts(error=MediaError(facts.ref.source, "unreadable", detail))
    try:
        open_rgb(data, name=facts.ref.source)
    except MediaError as error:
        return PixelFacts(content_hash=digest, error=error)
    return PixelFacts(content_hash=digest)


def _read(facts: MediaFacts) -> bytes:
    assert facts.path is not None
    return facts.path.read_bytes()
