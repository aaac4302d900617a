"""A decoder of videos that misbehaves as the name of the file says; the reader process imports it by name."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataprep.errors import MediaError
from dataprep.media.video import Decoded, VideoHeader


def probe_video(path: str) -> VideoHeader:
    name = Path(path).stem
    if name == "hang":
        time.sleep(600)
    elif name == "hang-in-c":
        # Holds the lock of the interpreter, as an endless loop in an extension module does.
        ctypes.PyDLL(None).sleep(600)
    elif name == "crash":
        ctypes.string_at(0)
    elif name == "exit":
        os._exit(3)
    elif name == "odd-error":
        raise ZeroDivisionError("frame rate")
    elif name == "hungry":
        taken = [bytearray(os.urandom(1)) * (50 << 20) for _ in range(8)]
        time.sleep(600 + len(taken))
    elif name == "media-error":
        raise MediaError(path, "no-frames", "has no frames")
    return VideoHeader("mp4", 4, 2, os.getpid(), 29.97, is_variable_rate=True)


def decode_frames(path: str, indices: Sequence[int]) -> Decoded:
    if Path(path).stem == "crash":
        ctypes.string_at(0)
    return Decoded([np.full((2, 4, 3), index, np.uint8) for index in indices], "odd")
