"""The short way to the header of an image: for relative paths to sound files in folders that are known.

One open, one look at the opened file, one read of 4 KB, one of the last bytes. Whatever is not as usual gives None
here, and then the long way (``MediaRoot.resolve`` and ``probe_image_file``) finds out what it is: the short way never
says anything else than the long one, and it says nothing of what cannot be used.
"""

from __future__ import annotations

import os
import stat

from dataprep.media.ending import END_BYTES, has_usual_end
from dataprep.media.headers import JpegLayout, parse_header
from dataprep.media.image_header import WINDOW_BYTES, ImageHeader, OddHeader, Window
from dataprep.media.pillow import DEFAULT_MAX_PIXELS
from dataprep.media.resolve import MediaRoot
from dataprep.media.trail import Trail

# A link as the last part of a path may lead outside: opening it fails. A FIFO or a device cannot hold the process up.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_IS_POSSIBLE = hasattr(os, "O_NOFOLLOW") and hasattr(os, "pread")
_MOST_FOLDERS = 50_000
_MOST_LAYOUTS = 8
# Headers that may be learnt from beyond those that were recognised: some programs write no two alike.
_MOST_UNLIKE = 64


class QuickProbe:
    """Probes images under one media root; remembers folders and what headers have looked like."""

    def __init__(self, root: MediaRoot, *, trail: Trail | None = None) -> None:
        """Begin without any folder.

        Args:
            root: The media root and its policy.
            trail: Where to note each file that was probed; None notes nothing.
        """
        self._root = root
        self._trail = trail
        self._folders: dict[str, tuple[str, str] | None] = {}
        self._layouts: list[JpegLayout] = []
        self._unlike_left = _MOST_UNLIKE

    def locate(self, source: str) -> tuple[str, str] | None:
        """Return the path of a reference without white space around it, whole and relative; None if it is unusual."""
        folder, slash, name = source.rpartition("/")
        try:
            place = self._folders[folder]
        except KeyError:
            place = self._find_folder(folder)
        if place is None or ":" in name or name in ("", ".", "..") or (slash and not folder):
            return None
        return place[0] + name, place[1] + name

    def probe(self, source: str) -> tuple[str, str, ImageHeader] | None:
        """Return path, relative path and header of a sound image; None if the long way must be taken."""
        place = self.locate(source)
        if place is None:
            return None
        try:
            descriptor = os.open(place[0], _FLAGS)
        except (OSError, ValueError):
            return None
        try:
            facts = os.fstat(descriptor)
            header = self._read_header(descriptor, facts.st_size) if stat.S_ISREG(facts.st_mode) else None
        except (OSError, OddHeader):
            return None
        finally:
            os.close(descriptor)
        if header is None:
            return None
        if self._trail is not None:
            folder, slash, name = place[0].rpartition("/")
            self._trail.note(folder + slash, name, facts)
        return (*place, header)

    def _find_folder(self, folder: str) -> tuple[str, str] | None:
        if len(self._folders) >= _MOST_FOLDERS:
            self._folders.clear()
        place = self._folders[folder] = self._root.find_folder(folder) if _IS_POSSIBLE else None
        return place

    def _read_header(self, descriptor: int, size: int) -> ImageHeader | None:
        head = os.pread(descriptor, WINDOW_BYTES, 0)
        for layout in self._layouts:
            header = layout.match(head)
            if header is not None:
                self._unlike_left += 1
                break
        else:
            header = parse_header(Window(head, size, descriptor))
            if header is None:
                return None
            if header.format == "JPEG" and self._unlike_left > 0:
                self._learn(header, head)
        if not 0 < header.width * header.height <= DEFAULT_MAX_PIXELS:
            return None
        end = head[-END_BYTES:] if size <= WINDOW_BYTES else os.pread(descriptor, END_BYTES, size - END_BYTES)
        return header if has_usual_end(end, header.format) else None

    def _learn(self, header: ImageHeader, head: bytes) -> None:
        layout = JpegLayout.of(header, head)
        self._unlike_left -= 1
        if layout is not None:
            self._layouts.insert(0, layout)
            del self._layouts[_MOST_LAYOUTS if self._unlike_left else 0 :]
