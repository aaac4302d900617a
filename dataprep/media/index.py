"""What is known of each media reference: where its file lies, its size in pixels, or why it cannot be used.

Each distinct reference is looked up once: path resolution, one header read for images, a container probe for
videos. Nothing is decoded. URLs are fetched here, when that is allowed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dataprep.errors import MediaError
from dataprep.media.cache import LASTING
from dataprep.media.image_header import ImageHeader
from dataprep.media.isolation import decode_frames, probe_video
from dataprep.media.probe import probe_image_bytes, probe_image_file
from dataprep.media.quick import QuickProbe
from dataprep.media.resolve import LONGEST_PATH, MediaRoot, Resolved
from dataprep.media.trail import Trail
from dataprep.media.video import VideoHeader, choose_frames
from dataprep.records import MediaRef, Record
from dataprep.tiling import ImageSize

if TYPE_CHECKING:
    from dataprep.media.cache import MediaCache
    from dataprep.media.pixels import PixelFacts

_MOST_REMEMBERED = 50_000
_SHOWN_CHARACTERS = 120
# Failures that the bytes of a file decide, or the text of the row; others depend on more of the disk, or on the moment.
_DECIDED = LASTING | {"empty-reference", "bad-data-uri", "url-not-allowed", "unsupported-scheme"}


class MediaFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one reference.

    Attributes:
        ref: The reference.
        file: Its file; None for inline data, fetched URLs and failures.
        relative: The file relative to the media root, or the URL; None for inline data and failures.
        data: The encoded bytes, where they did not come from a file.
        header: Header of an image that can be used.
        video: Header of a video that can be used.
        error: Why it cannot be used.
    """

    ref: MediaRef
    file: str | None = None
    relative: str | None = None
    data: bytes | None = None
    header: ImageHeader | None = None
    video: VideoHeader | None = None
    error: MediaError | None = None

    @property
    def path(self) -> Path | None:
        """The file as a path, which takes longer to make than the file to be probed."""
        return None if self.file is None else Path(self.file)

    @property
    def shown_source(self) -> str:
        """The reference, short enough for a message."""
        source = self.ref.source
        return source if len(source) <= _SHOWN_CHARACTERS else f"{source[: _SHOWN_CHARACTERS - 3]}..."

    def image_size(self, *, exif: str) -> ImageSize | None:
        """Return the size as the model will see it; ``exif`` is ``ignore`` or ``apply``; None if not usable."""
        if self.header is None:
            return None
        if exif == "apply":
            return ImageSize(*self.header.upright_size)
        return ImageSize(self.header.width, self.header.height)


class MediaIndex:
    """Looks media up under one root and policy, each distinct reference once.

    Attributes:
        root: The media root.
    """

    def __init__(
        self,
        root: Path,
        *,
        allow_outside: bool = False,
        allow_urls: bool = False,
        allow_private_urls: bool = False,
        cache: MediaCache | None = None,
        trail: Trail | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Begin without any facts.

        Args:
            root: The media root.
            allow_outside: Accept files outside the root.
            allow_urls: Fetch http and https URLs.
            allow_private_urls: Fetch from private addresses, too.
            cache: What earlier runs found out; None asks the files themselves.
            trail: Where to note what was looked at; None notes nothing.
            timeout_s: Seconds that reading one video may take; None is the reader's own limit.
        """
        self.root = root
        self._policy = MediaRoot(root, allow_outside=allow_outside, allow_urls=allow_urls)
        self._cache = cache
        self._trail = trail
        self._timeout_s = timeout_s
        self._quick = QuickProbe(self._policy, trail=trail)
        self._allow_private_urls = allow_private_urls
        self._known: dict[tuple[str, str], MediaFacts] = {}

    def look_up(self, ref: MediaRef) -> MediaFacts:
        """Return the facts of a reference; a failure is a fact too."""
        key = (ref.kind, ref.source)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            found = self._find_quickly(ref) or self._find(ref)
            if found.data is None:  # inline and fetched bytes are not kept
                self._known[key] = found
        return found if found.ref is ref else msgspec.structs.replace(found, ref=ref)

    def find(self, ref: MediaRef) -> MediaFacts:
        """Return the facts of a reference, for callers that remember them; only what took long is remembered here."""
        return self._find_quickly(ref) or self.look_up(ref)

    def _find_quickly(self, ref: MediaRef) -> MediaFacts | None:
        found = self._quick.probe(ref.source.strip()) if ref.kind == "image" else None
        return None if found is None else MediaFacts(ref=ref, file=found[0], relative=found[1], header=found[2])

    def _find(self, ref: MediaRef) -> MediaFacts:
        try:
            resolved = self._policy.resolve(ref.source)
            self._note(resolved)
            data = resolved.data
            if resolved.kind == "url":
                from dataprep.media.fetch import fetch_url  # brings the whole of HTTP and TLS along

                data = fetch_url(resolved.source, allow_private=self._allow_private_urls)
            return self._probe(ref, resolved, data)
        except MediaError as error:
            if self._trail is not None and error.reason == "missing":
                self._trail.note_missing(str(self._policy.root), ref.source.strip())
            elif self._trail is not None and error.reason not in _DECIDED:
                self._trail.spoil()
            return MediaFacts(ref=ref, error=error)

    def _note(self, resolved: Resolved) -> None:
        """Note what a reference led to. Text is an image in base64 only as long as no file bears that name."""
        if self._trail is None:
            return
        if resolved.path is not None:
            self._trail.note_path(str(resolved.path))
        elif resolved.kind == "url" or not (
            resolved.source[:5].lower() == "data:" or len(resolved.source) > LONGEST_PATH
        ):
            self._trail.spoil()

    def _probe(self, ref: MediaRef, resolved: Resolved, data: bytes | None) -> MediaFacts:
        file, relative = None if resolved.path is None else str(resolved.path), resolved.relative
        if ref.kind == "video":
            if file is None:
                raise MediaError(ref.source, "not-a-video", "is no file; download the video and name its path")
            return MediaFacts(ref=ref, file=file, relative=relative, video=self._probe_video(file))
        if data is not None:
            header = probe_image_bytes(data, name="image", checks_end=True)
            relative = resolved.source if resolved.kind == "url" else None
            return MediaFacts(ref=ref, relative=relative, data=data, header=header)
        assert file is not None
        return MediaFacts(ref=ref, file=file, relative=relative, header=self._probe_image(file))

    def _probe_image(self, file: str) -> ImageHeader:
        def probe() -> ImageHeader:
            return probe_image_file(file, checks_end=True)

        return probe() if self._cache is None else self._cache.recall("image", file, ImageHeader, probe)

    def _probe_video(self, file: str) -> VideoHeader:
        def probe() -> VideoHeader:
            return probe_video(file, timeout_s=self._timeout_s)

        return probe() if self._cache is None else self._cache.recall("video", file, VideoHeader, probe)

    def read_pixels(self, facts: MediaFacts) -> PixelFacts:
        """Return what decoding an image shows; see ``dataprep.media.pixels``."""
        from dataprep.media.pixels import read_pixels, recall_pixels  # brings decoders along

        found = read_pixels(facts) if self._cache is None else recall_pixels(facts, self._cache)
        if self._trail is not None and found.error is not None and found.error.reason not in _DECIDED:
            self._trail.spoil()
        return found

    def check_frames(self, facts: MediaFacts, num_frames: int) -> MediaError | None:
        """Decode the frames that stand for a video.

        Args:
            facts: What is known of it.
            num_frames: How many are taken.

        Returns:
            Why one of them cannot be decoded; None if all can, or if nothing is known of the video.
        """
        file, header = facts.file, facts.video
        if file is None or header is None:
            return None

        def find() -> str:
            indices = choose_frames(header.num_frames, num_segments=num_frames)
            return decode_frames(file, indices, timeout_s=self._timeout_s).reader

        try:
            _ = find() if self._cache is None else self._cache.recall(f"frames-{num_frames}", file, str, find)
        except MediaError as error:
            if self._trail is not None and error.reason not in _DECIDED:
                self._trail.spoil()
            return error
        return None

    def split_joined(self, record: Record) -> Record:
        """Return the record with paths that a bare text joins by commas taken apart, where all of them exist."""
        images, videos = self._split(record.images), self._split(record.videos)
        if images is record.images and videos is record.videos:
            return record
        return replace(record, images=images, videos=videos)

    def _split(self, refs: tuple[MediaRef, ...]) -> tuple[MediaRef, ...]:
        bare = next((ref for ref in refs if ref.field in ("images", "videos") and "," in ref.source), None)
        parts = self._policy.split_comma(bare.source) if bare is not None else None
        if bare is None or parts is None:
            return refs
        if self._trail is not None:
            self._trail.spoil()  # they are several only as long as no file bears the whole name
        joined = [MediaRef(bare.kind, part, bare.field, is_joined=True) for part in parts]
        return tuple(new for ref in refs for new in (joined if ref is bare else [ref]))
