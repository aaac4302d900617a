"""Count, choose and read the frames of a video: decord first, PyAV where decord fails or is not installed.

decord decides what a frame number means, because the reference reads with it: the best video stream, frames in order of
presentation, rotation applied. PyAV gives the same bytes for MP4, MOV and Matroska files; in AVI files with reordered
frames it may number them otherwise. Both are optional (the extra ``video``), imported on first use, and read on one
thread. Nothing here keeps a video open between calls.
"""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from dataprep.errors import ConfigError, MediaError
from dataprep.media.files import LFS_POINTER_MAGIC, describe_foreign_bytes, open_regular_file

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Frame: TypeAlias = npt.NDArray[np.uint8]

DECORD, PYAV = "decord", "PyAV"

# How often decord asks again for frames that it has not decoded at the end of a file: its own default, fixed here so
# that a damaged file ends in an error after a fraction of a second whatever the environment says.
_EOF_RETRIES = "10240"

_MAGICS = ((4, b"ftypqt", "mov"), (4, b"ftyp", "mp4"), (4, b"moov", "mov"), (0, b"\x1a\x45\xdf\xa3", "matroska"),
           (8, b"AVI ", "avi"), (0, b"FLV", "flv"), (0, b"\x30\x26\xb2\x75", "asf"), (0, b"GIF8", "gif"),
           (0, b"\x00\x00\x01\xba", "mpeg"), (0, b"\x47", "mpegts"), (0, b"OggS", "ogg"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class VideoHeader:
    """What is known of a video before its frames are chosen.

    Attributes:
        format: Container by its first bytes, such as ``mp4``, ``mov``, ``matroska`` or ``avi``.
        width: Width of the frames as read, rotation applied, in pixels.
        height: Height of the frames as read, in pixels.
        num_frames: Number of frames, as decord counts them.
        fps: Average frames per second; 0 where the file does not say.
        is_variable_rate: Whether the time from frame to frame varies.
        reader: ``decord`` or ``PyAV``: what could read it.
    """

    format: str
    width: int
    height: int
    num_frames: int
    fps: float
    is_variable_rate: bool = False
    reader: str = DECORD


@dataclass(frozen=True, slots=True)
class Decoded:
    """Frames of a video, RGB arrays of shape (height, width, 3), and what decoded them: ``decord`` or ``PyAV``."""

    frames: list[Frame]
    reader: str


# A frame counts as late or early if its distance differs by more than this share from the usual one; container clocks
# tick in milliseconds, so small differences mean nothing. One lost frame makes no variable rate.
_ODD_DISTANCE = 0.25
_MOST_ODD_DISTANCES = 0.02


def varies(times_s: Sequence[float]) -> bool:
    """Whether the times at which frames are shown, in seconds, are spaced unevenly."""
    ordered = sorted(times_s)
    distances = sorted(after - before for before, after in pairwise(ordered))
    usual = distances[len(distances) // 2] if distances else 0.0
    if usual <= 0:
        return False  # the file does not say
    odd = sum(abs(distance - usual) > _ODD_DISTANCE * usual for distance in distances)
    return odd > max(1, _MOST_ODD_DISTANCES * len(distances))


def choose_frames(num_frames: int, *, num_segments: int = 8) -> list[int]:
    """Return the frames that stand for a video: ``num_segments`` numbers, repeated where there are fewer frames.

    The reference computes ``int(seg / 2 + round(seg * k))`` with ``seg = (num_frames - 1) / num_segments`` in float64;
    the same in fractions is exact, and halves are rounded to even in both.

    Raises:
        ValueError: If either number is below 1.
    """
    if min(num_frames, num_segments) < 1:
        raise ValueError(f"cannot choose {num_segments} of {num_frames} frames")
    segment = Fraction(num_frames - 1, num_segments)
    return [int(segment / 2 + round(segment * k)) for k in range(num_segments)]


def probe_video(path: str | Path) -> VideoHeader:
    """Read the facts of a video: packets are counted, and one frame is decoded for its size after rotation.

    Raises:
        ConfigError: If neither decord nor PyAV is installed.
        MediaError: With reason ``missing``, ``is-directory``, ``not-a-regular-file``, ``empty``, ``lfs-pointer``,
            ``not-a-video``, ``no-frames`` or ``damaged-data``.
    """
    container = _check_file(path)
    reader = _open_with_decord(path)
    if reader is not None:
        try:
            height, width, _ = _rgb(reader[0]).shape
            times = reader.get_frame_timestamp(range(len(reader)))[:, 0].tolist()
            return VideoHeader(container, width, height, len(reader), float(reader.get_avg_fps()), varies(times))
        except _decord_errors():
            pass  # PyAV reads some files that decord opens only.
    return _probe_with_av(path, container)


def read_frames(path: str | Path, indices: Sequence[int]) -> list[Frame]:
    """Read frames of a video; see :func:`decode_frames`."""
    return decode_frames(path, indices).frames


def decode_frames(path: str | Path, indices: Sequence[int]) -> Decoded:
    """Read frames of a video, and say what read them.

    Args:
        path: The video file.
        indices: Frame numbers from 0, in any order, repeated at will. Each distinct one is decoded once.

    Returns:
        One array per index; equal indices share one array.

    Raises:
        ConfigError: If neither decord nor PyAV is installed.
        MediaError: As ``probe_video``, or if a frame cannot be decoded.
    """
    _check_file(path)
    wanted = sorted(set(indices))
    frames, reader = _read_with_decord(path, wanted), DECORD
    if frames is None:
        frames, reader = _read_with_av(path, wanted), PYAV
    return Decoded([frames[index] for index in indices], reader)


def frame_to_png(frame: Frame) -> bytes:
    """Encode an RGB frame of shape (height, width, 3) as PNG: the same bytes for the same pixels and Pillow."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="PNG", compress_level=6, optimize=False)
    return buffer.getvalue()


def _check_file(path: str | Path) -> str:
    """Return the container's name after the checks that need no decoder."""
    name = str(path)
    descriptor, _ = open_regular_file(path)
    with os.fdopen(descriptor, "rb") as file:
        head = file.read(64)
    if head.startswith(LFS_POINTER_MAGIC):
        raise MediaError(name, *describe_foreign_bytes(head))
    if head.startswith(_STILL_IMAGES):
        raise MediaError(name, "not-a-video", "is a still image, not a video; name it in images")
    known = next((label for at, magic, label in _MAGICS if head.startswith(magic, at)), None)
    # Also keeps playlists out, which FFmpeg would follow to other files.
    if known is None and not head.strip(_TEXT):
        raise MediaError(name, "not-a-video", f"is text, not a video; it begins with {head[:24].decode('ascii')!r}")
    return known or "unknown"


# FFmpeg opens these as videos of one frame.
_STILL_IMAGES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM")
_TEXT = bytes([*range(0x20, 0x7F), 9, 10, 13])


def _decoder_path(path: str | Path) -> str:
    """Return an absolute path: FFmpeg takes what stands before a colon in a relative one for a protocol."""
    return str(Path(path).absolute())


def _optional(module: str) -> ModuleType | None:
    try:
        return importlib.import_module(module)
    except (ImportError, OSError):  # OSError: a wheel without its shared library.
        return None


def _decord() -> ModuleType | None:
    # Read by decord's C++ side whenever it opens a file.
    os.environ["DECORD_EOF_RETRY_MAX"] = _EOF_RETRIES
    decord = _optional("decord")
    if decord is not None:
        decord.logging.set_level(decord.logging.QUIET)
    return decord


def _decord_errors() -> tuple[type[Exception], ...]:
    base = _optional("decord._ffi.base")
    own = (base.DECORDError,) if base is not None else ()
    return (RuntimeError, ValueError, IndexError, OSError, *own)


@contextmanager
def _muted() -> Iterator[None]:
    """Keep what decord's C++ side writes about a file off the terminal: whoever asked gets it as a MediaError."""
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _open_with_decord(path: str | Path) -> Any:
    """Return decord's reader of a file with at least one frame, or None."""
    decord = _decord()
    if decord is None:
        return None
    try:
        with _muted():
            reader = decord.VideoReader(_decoder_path(path), ctx=decord.cpu(0), num_threads=1)
        return reader if len(reader) > 0 else None
    except _decord_errors():
        return None


def _read_with_decord(path: str | Path, wanted: list[int]) -> dict[int, Frame] | None:
    reader = _open_with_decord(path)
    if reader is None:
        return None
    _check_indices(path, wanted, len(reader))
    try:
        return {index: _rgb(reader[index]) for index in wanted}
    except _decord_errors():
        return None


def _rgb(frame: Any) -> Frame:
    """Return decord's frame as an array.

    Raises:
        ValueError: If decord takes the padding of narrow rows for a fourth channel, which makes noise of the picture.
    """
    pixels: Frame = frame.asnumpy()
    if pixels.shape[2:] != (3,):
        raise ValueError(f"a frame of shape {pixels.shape}")
    return pixels


def _check_indices(path: str | Path, wanted: list[int], num_frames: int) -> None:
    if wanted and not 0 <= wanted[0] <= wanted[-1] < num_frames:
        outside = wanted[0] if wanted[0] < 0 else wanted[-1]
        raise MediaError(str(path), "no-such-frame", f"has {num_frames} frames; frame {outside} was asked for")


def _av() -> ModuleType:
    av = _optional("av")
    if av is None and _optional("decord") is None:
        raise ConfigError("reading videos needs decord or PyAV: pip install 'dataprep-vl[video]'")
    if av is None:
        raise ConfigError(
            "decord cannot read this video and PyAV, which may, is not installed: pip install 'dataprep-vl[video]'"
        )
    return av


def _probe_with_av(path: str | Path, container: str) -> VideoHeader:
    av = _av()
    try:
        with av.open(_decoder_path(path), metadata_errors="ignore") as file:
            stream = file.streams.best("video")
            if stream is None:
                raise MediaError(str(path), "not-a-video", "has no video stream")
            fps = float(stream.average_rate or 0)
            packets = [(packet.pts, packet.time_base) for packet in file.demux(stream) if packet.size]
            num_frames = len(packets)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(str(path), "not-a-video", f"cannot be opened as a video: {error}") from error
    if num_frames == 0:
        raise MediaError(str(path), "no-frames", "has a video stream without frames")
    height, width, _ = _read_with_av(path, [0])[0].shape
    times = [float(pts * time_base) for pts, time_base in packets if pts is not None and time_base is not None]
    return VideoHeader(container, width, height, num_frames, fps, varies(times), PYAV)


def _read_with_av(path: str | Path, wanted: list[int]) -> dict[int, Frame]:
    """Decode from the start up to the last frame wanted."""
    import numpy as np

    av = _av()
    frames: dict[int, Frame] = {}
    pending, index = set(wanted), -1
    try:
        with av.open(_decoder_path(path), metadata_errors="ignore") as file:
            stream = file.streams.best("video")
            if stream is None:
                raise MediaError(str(path), "not-a-video", "has no video stream")
            for index, frame in enumerate(file.decode(stream)):
                if index in pending:
                    turns = round(frame.rotation / 90) % 4
                    frames[index] = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))
                    pending.discard(index)
                if not pending:
                    break
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = "damaged-data" if frames or index >= 0 else "not-a-video"
        raise MediaError(str(path), reason, f"cannot be decoded after frame {index}: {error}") from error
    if pending:
        detail = f"ends after {index + 1} decodable frames; frame {min(pending)} was asked for"
        raise MediaError(str(path), "damaged-data", detail)
    return frames
