"""Find the image files that annotations name: as they are written, without their folder, or in other letter case."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dataprep.errors import ConfigError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jp2", ".mpo"}
)


class ImageFolder:
    """The folder below which the images lie; its files are listed once, and only if a name needs it."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no folder of images; name it with --images")
        self.folder = folder
        self._known: dict[str, str | None] = {}
        self._by_name: dict[str, list[str]] | None = None

    def find(self, name: str) -> str | None:
        """Return the path of an image below the folder; None if there is no such file.

        Args:
            name: As the annotations write it; a backslash separates folders too.
        """
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> str | None:
        way = name.replace("\\", "/")
        base = PurePosixPath(way).name
        for candidate in (name, way, base):
            # An absolute path is that of another machine, most of the time: only its name counts.
            if candidate and not candidate.startswith("/") and self._is_file(candidate):
                return candidate
        alike = self._names().get(base.casefold(), []) if base else []
        return alike[0] if len(alike) == 1 else None

    def _is_file(self, name: str) -> bool:
        try:
            return (self.folder / name).is_file()
        except (OSError, ValueError):  # too long for a name, or with a null byte
            return False

    def _names(self) -> dict[str, list[str]]:
        if self._by_name is None:
            self._by_name = {}
            for path in self.files():
                self._by_name.setdefault(PurePosixPath(path).name.casefold(), []).append(path)
        return self._by_name

    def files(self) -> Iterator[str]:
        """Yield the image files in the folder and below, relative to it with ``/``, sorted within each folder."""
        for here, folders, names in os.walk(self.folder):
            folders.sort()
            for name in sorted(names):
                if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES:
                    yield Path(here, name).relative_to(self.folder).as_posix()
