"""Defects of videos."""

from __future__ import annotations

from benchmarks.mutators.base import Desk, Line, Row, of_rows
from benchmarks.mutators.pictures import write_video

UNREADABLE = "V352 V351 V356"


def _swap(row: Row, path: str) -> Row:
    return row | {"videos": [path, *row["videos"][1:]]}


def _made(desk: Desk, times: list[int]) -> str:
    path = desk.put(".mp4", b"")
    write_video(str(desk.root / path), times=times)
    return path


@of_rows("video-missing", "V351", seeds="video", level=2)
def missing(row: Row, desk: Desk) -> Line:
    """The video was never downloaded."""
    return _swap(row, "nowhere/a.mp4")


@of_rows("video-empty", UNREADABLE + " M303", seeds="video", level=2)
def empty(row: Row, desk: Desk) -> Line:
    """A video file of zero bytes."""
    return _swap(row, desk.put(".mp4", b""))


@of_rows("video-lfs-pointer", UNREADABLE + " M307", seeds="video", level=2)
def pointer(row: Row, desk: Desk) -> Line:
    """A git LFS pointer in place of the video."""
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d" * 32 + "\nsize 12345\n"
    return _swap(row, desk.put(".mp4", text.encode()))


@of_rows("video-cut-off", UNREADABLE, seeds="video", level=2)
def cut_off(row: Row, desk: Desk) -> Line:
    """The index at the end of the file is missing."""
    data = desk.read(row["videos"][0])
    return _swap(row, desk.put(".mp4", data[: min(len(data) // 20, data.find(b"moov") - 4)]))


@of_rows("video-is-noise", UNREADABLE, seeds="video", level=2)
def noise(row: Row, desk: Desk) -> Line:
    """No video at all."""
    return _swap(row, desk.put(".mp4", bytes(desk.random.randrange(256) for _ in range(20_000))))


@of_rows("image-among-videos", UNREADABLE + " V354", seeds="video", level=2)
def image_as_video(row: Row, desk: Desk) -> Line:
    """A picture is listed under videos."""
    from PIL import Image

    from benchmarks.mutators.pictures import encode

    return _swap(row, desk.put(".mp4", encode(Image.new("RGB", (64, 48), (9, 200, 9)), "JPEG")))


@of_rows("video-without-frames", "V356 V352", seeds="video", level=2)
def no_frames(row: Row, desk: Desk) -> Line:
    """A recording that holds sound only."""
    import av
    import numpy as np

    path = desk.put(".mp4", b"")
    with av.open(str(desk.root / path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        samples = np.zeros((1, 1024), dtype=np.float32)
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, number * 1024
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return _swap(row, path)


@of_rows("video-of-three-frames", "V354", seeds="video", level=2)
def short(row: Row, desk: Desk) -> Line:
    """Shorter than the eight frames that are taken: frames repeat."""
    return _swap(row, _made(desk, [0, 1, 2]))


@of_rows("video-of-variable-rate", "V355", seeds="video", level=3)
def variable_rate(row: Row, desk: Desk) -> Line:
    """A screen recording: frames by number are not frames by time."""
    times, time = [], 0
    for number in range(40):
        times.append(time)
        time += 1 if number % 10 else 25
    return _swap(row, _made(desk, times))


@of_rows("video-for-a-model-without", "V353", level=2, model_type="internvl-chat-v1_5")
def without_video(row: Row, desk: Desk) -> Line:
    """A video row for a model that takes none."""
    return row | {"query": "<video>" + row["query"], "videos": [_made(desk, list(range(20)))]}


@of_rows("image-in-video-row", "M309", seeds="video", level=2)
def image_in_video_row(row: Row, desk: Desk) -> Line:
    """An image beside a video: it gets one tile only."""
    from PIL import Image

    from benchmarks.mutators.pictures import encode

    path = desk.put(".jpg", encode(Image.effect_noise((900, 500), 60).convert("RGB"), "JPEG"))
    return row | {"images": [path], "query": "<image>" + row["query"]}
