"""Find and replace the tags that a row's text may hold.

``<image>`` and ``<video>`` stand for the next image or video, ``<bbox>`` and ``<ref-object>`` for the next
object's box or caption; ``<img>path</img>`` and ``<video>path</video>`` bring their media along. Tags are case
sensitive. Source: template code of ms-swift 2.6.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

IMAGE = "<image>"
VIDEO = "<video>"
BBOX = "<bbox>"
REF_OBJECT = "<ref-object>"

_TAG = re.compile("(<image>|<video>|<bbox>|<ref-object>)")
_INLINE = re.compile(r"<(img|video)>(.+?)</\1>")
_KINDS = {"img": "image", "video": "video"}


def split_tags(text: str) -> Iterator[tuple[bool, str]]:
    """Yield ``(is_tag, piece)`` in text order; empty pieces of text are left out."""
    for index, piece in enumerate(_TAG.split(text)):
        if piece:
            yield index % 2 == 1, piece


def split_pieces(text: str) -> list[str]:
    """Return text and tags in turn, beginning and ending with text, which may be empty."""
    return _TAG.split(text)


def count_tag(texts: Iterator[str] | list[str] | tuple[str, ...], tag: str) -> int:
    """Return how often a tag occurs in some texts."""
    return sum(text.count(tag) for text in texts)


def find_inline_media(text: str) -> list[tuple[str, str]]:
    """Return ``(kind, path)`` of each ``<img>path</img>`` and ``<video>path</video>``, in text order."""
    return [(_KINDS[match[1]], match[2]) for match in _INLINE.finditer(text)]


def replace_inline_media(text: str) -> str:
    """Return the text with each inline reference replaced by the plain tag of its kind."""
    return _INLINE.sub(lambda match: f"<{_KINDS[match[1]]}>", text)
