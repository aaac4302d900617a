"""Which media a part holds: every distinct image and frame once, copied as it is or linked, numbered by first use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataprep.config import ConvertConfig
from dataprep.errors import SourceError
from dataprep.findings import Finding, Severity
from dataprep.media.index import MediaFacts
from dataprep.media.isolation import decode_frames
from dataprep.media.video import PYAV, frame_to_png
from dataprep.rules.base import CheckedRow
from dataprep.rules.table import RULES
from dataprep.rules.videos.video_read_by_second_reader import second_reader_message
from dataprep.shards.format import content_hash
from dataprep.shards.samples import Media

_MOST_FILES = 50_000

MediaKey = tuple[str, bytes]
"""What makes two media the same: ``content`` and a hash, or ``path`` and a path."""


def read_media_file(path: str | Path) -> bytes:
    """Return a media file's bytes.

    Raises:
        SourceError: If it cannot be read any more, though its header could be.
    """
    with _reading(path):
        return Path(path).read_bytes()


def read_media_into(path: str, space: memoryview) -> bool:
    """Fill a space with a media file's bytes, and return whether it is as large as the file.

    Raises:
        SourceError: If it cannot be read any more.
    """
    with _reading(path), Path(path).open("rb", buffering=0) as file:
        return file.readinto(space) == len(space) and not file.read(1)


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read any more ({error.strerror}); leave media alone during a run"
        ) from error


@dataclass(slots=True)
class MediaTable:
    """The distinct media of a part, in order of first use."""

    numbers: dict[MediaKey, int] = field(default_factory=dict)
    rows: list[Media] = field(default_factory=list)

    def add(self, key: MediaKey, media: Media) -> int:
        """Return the number of a medium, a new one if it is not there yet."""
        number = self.numbers.setdefault(key, len(self.rows))
        if number == len(self.rows):
            self.rows.append(media)
        return number


class MediaPlacer:
    """Gives the media of rows their numbers within a part.

    Attributes:
        table: The media so far.
    """

    def __init__(self, config: ConvertConfig, base: Path, known: dict[str, tuple[MediaKey, Media]]) -> None:
        """Begin.

        Args:
            config: Whether media are copied or linked, and how long a video may take.
            base: Folder that stored paths are relative to.
            known: Files that were placed before, in any part; added to.
        """
        self.table = MediaTable()
        self._config = config
        self._base = base
        self._known = known

    def place(self, row: CheckedRow) -> list[int]:
        """Return the media number of each image and frame, in slot order."""
        assert row.layout is not None
        shown = sorted({placed.source for placed in row.layout.images if placed.kind == "frame"})
        frames = {i: self._read_video(row, i) for i in shown}
        return [
            self.place_image(row.images[placed.source])
            if placed.kind == "image"
            else self.table.add(*frames[placed.source][placed.frame_index])
            for placed in row.layout.images
        ]

    def place_image(self, facts: MediaFacts) -> int:
        """Return the media number of an image."""
        return self.table.add(*self._image_media(facts))

    def _image_media(self, facts: MediaFacts) -> tuple[MediaKey, Media]:
        header, file, known = facts.header, facts.file, self._known
        assert header is not None
        found = None if file is None else known.get(file)
        # As long as the header is remembered, so is the state of the file that it was read from.
        if found is not None and (found[1].width, found[1].height) == (header.width, header.height):
            return found
        kind, width, height, orientation = header.format.lower(), header.width, header.height, header.orientation
        media = Media(None, None, None, None, None, kind, width, height, orientation)
        if facts.data is not None:
            digest = content_hash(facts.data)
            return ("content", digest), replace(media, hash=digest, bytes=facts.data, size=len(facts.data))
        assert file is not None
        if len(known) >= _MOST_FILES:
            known.clear()
        is_linked = self._config.media == "link"
        found = known[file] = self._link(file, media) if is_linked else self._embed(file, media)
        return found

    def _read_video(self, row: CheckedRow, index: int) -> dict[int, tuple[MediaKey, Media]]:
        """Return key and media of each frame that is used, by its number in the video."""
        facts = row.videos[index]
        video, layout = facts.video, row.layout
        assert video is not None
        assert facts.path is not None
        assert layout is not None
        wanted = sorted({i.frame_index for i in layout.images if i.kind == "frame" and i.source == index})
        media = Media(None, None, None, None, None, video.format.lower(), video.width, video.height)
        if self._config.media == "link":
            return dict.fromkeys(wanted, self._link(str(facts.path), media))
        decoded = decode_frames(facts.path, wanted, timeout_s=self._config.media_timeout)
        if decoded.reader == PYAV and video.reader != PYAV:
            row.findings.append(_read_by_second(row, facts))
        placed = {}
        for frame_index, frame in zip(wanted, decoded.frames, strict=True):
            png = frame_to_png(frame)
            digest = content_hash(png)
            stored = replace(media, hash=digest, bytes=png, size=len(png), format="png")
            placed[frame_index] = (("content", digest), stored)
        return placed

    def _link(self, file: str, media: Media) -> tuple[MediaKey, Media]:
        path, facts = self._relative(file), Path(file).stat()
        return ("path", path.encode()), replace(media, path=path, size=facts.st_size, mtime_ns=facts.st_mtime_ns)

    def _embed(self, file: str, media: Media) -> tuple[MediaKey, Media]:
        data = read_media_file(file)
        digest = content_hash(data)
        return ("content", digest), replace(media, hash=digest, path=self._relative(file), size=len(data))

    def _relative(self, file: str) -> str:
        base = self._base
        start, file = f"{base}/", str(Path(file))
        if file.startswith(start) and "/.." not in file:
            return file[len(start) :]
        relative = os.path.relpath(file, base)
        if not relative.startswith(".."):
            return Path(relative).as_posix()
        real = Path(file).resolve()  # the base is a real path too
        return (real.relative_to(base) if real.is_relative_to(base) else real).as_posix()


def _read_by_second(row: CheckedRow, facts: MediaFacts) -> Finding:
    """Return the note on a video that decord opens, but whose frames it cannot read."""
    return Finding(
        code="V357",
        name=RULES["V357"].name,
        severity=Severity.INFO,
        location=row.raw.location,
        field=facts.ref.field,
        message=second_reader_message(facts.shown_source),
    )
