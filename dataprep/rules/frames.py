"""Tell from a path which video an image is a frame of.

A number in a file's name does not make it a frame: only names that say so count. Those are the word frame before the
number (``clip7/frame_0001.jpg``, ``clip7_frame12.png``), a folder named as a video file (``clip7.mp4/0001.jpg``), and
what Roboflow calls the frames of an uploaded video (``clip7_mp4-12_jpg.rf.4ac1.jpg``).
"""

from __future__ import annotations

import re

_VIDEO = r"mp4|avi|mov|mkv|webm|m4v|mpe?g|gif"
_FRAME = re.compile(r"^(?P<before>.*?)[ _.\-]*(?:frame|frm)[ _.\-]*\d+$", re.IGNORECASE)
_EXPORTED = re.compile(rf"^(?P<before>.+?)_(?:{_VIDEO})-\d+_[a-z]+\.rf\.[0-9a-z]+$", re.IGNORECASE)
_VIDEO_FOLDER = re.compile(rf"(?P<before>.+)[._](?:{_VIDEO})$", re.IGNORECASE)


def video_of(path: str, *, is_video: bool = False) -> str | None:
    """Return a name for the video that a file is, or is a frame of; None for other images.

    A video and its frames have one name where the frames lie beside it, in its name or in a folder of that name.
    """
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0] or name
    if is_video:
        return f"{folder}/{stem}"
    for pattern in (_FRAME, _EXPORTED):
        if match := pattern.match(stem):
            before = match["before"]
            return f"{folder}/{before}" if before else _without_ending(folder)
    return _without_ending(folder) if _VIDEO_FOLDER.match(folder) and stem.isdigit() else None


def _without_ending(folder: str) -> str:
    match = _VIDEO_FOLDER.match(folder)
    return match["before"] if match else folder
