"""Read videos in a process of its own, which may hang or crash without taking the run along.

decord and FFmpeg are C code that damaged or hostile files can drive into endless loops and invalid memory. Data flow:
request (JSON) -> one reader process per process of ours -> answer (JSON, then frames as raw bytes) over a socket. The
reader starts with the first video, not before. A file on which it takes too long, or dies, gets a MediaError; the
reader is killed then, and the next file gets a fresh one.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataprep.errors import ConfigError, DataprepError, MediaError
from dataprep.media.video import VideoHeader

if TYPE_CHECKING:
    import subprocess
    from multiprocessing.connection import Connection

    from dataprep.media.video import Frame

TIMEOUT_S = 60.0
"""Seconds that one call about one video may take."""
_START_TIMEOUT_S = 120.0
_GRACE_S = 5.0
_ENTRY = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from dataprep.media.isolation import serve; serve(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))"
)


class VideoReader:
    """A process that reads videos, as this process sees it. Safe to use from several threads, which take turns.

    Args:
        decoder: Name of the module with the functions ``probe_video`` and ``read_frames``.
        timeout_s: Seconds that one call may take.
    """

    def __init__(self, decoder: str = "dataprep.media.video", *, timeout_s: float = TIMEOUT_S) -> None:
        self._decoder = decoder
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def probe_video(self, path: str | Path) -> VideoHeader:
        """Do what :func:`dataprep.media.video.probe_video` does; also raises MediaError ``timeout`` or ``crashed``."""
        with self._lock:
            return VideoHeader(**self._ask(path, {"call": "probe_video"})["header"])

    def read_frames(self, path: str | Path, indices: Sequence[int]) -> list[Frame]:
        """Do what :func:`dataprep.media.video.read_frames` does, but the frames are read-only; raises as above."""
        import numpy as np

        wanted = sorted(set(indices))
        with self._lock:
            shapes = self._ask(path, {"call": "read_frames", "indices": wanted})["shapes"]
            pixels = [self._receive(path) for _ in shapes]
        arrays = [np.frombuffer(data, np.uint8).reshape(shape) for data, shape in zip(pixels, shapes, strict=True)]
        frames = dict(zip(wanted, arrays, strict=True))
        return [frames[index] for index in indices]

    def close(self) -> None:
        """End the process, if there is one."""
        process, connection, is_mine = self._process, self._connection, self._owner == os.getpid()
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is not None and is_mine:  # a process that was forked from the owner does not end the owner's reader
            self._wait(process, kills=True)

    def _ask(self, path: str | Path, request: dict[str, Any]) -> Any:
        connection = self._connect()
        try:
            connection.send_bytes(json.dumps({**request, "path": os.path.abspath(path)}).encode())  # noqa: PTH100
        except OSError:
            raise self._crash(path) from None
        answer = json.loads(self._receive(path))
        if "media_error" in answer:
            raise MediaError(str(path), *answer["media_error"])
        if "config_error" in answer:
            raise ConfigError(answer["config_error"])
        return answer

    def _receive(self, path: str | Path) -> bytes:
        assert self._connection is not None
        try:
            if self._connection.poll(self._timeout_s):
                return self._connection.recv_bytes()
        except (EOFError, OSError):
            raise self._crash(path) from None
        self.close()
        detail = f"took longer than {self._timeout_s:g} s to read; the file is damaged, or its disk is very slow"
        raise MediaError(str(path), "timeout", detail)

    def _crash(self, path: str | Path) -> MediaError:
        """Return the error for a reader that has gone while it read a file."""
        process = self._process
        assert process is not None
        self._wait(process, kills=False)
        self.close()
        code = process.returncode
        cause = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return MediaError(str(path), "crashed", f"crashed the video reader ({cause}); the file is damaged")

    def _connect(self) -> Connection:
        if self._owner != os.getpid():
            self.close()
            self._owner = os.getpid()
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it was killed from outside while it had nothing to do
        if self._connection is None:
            self._start()
        assert self._connection is not None
        return self._connection

    def _start(self) -> None:
        import socket
        import subprocess
        from multiprocessing.connection import Connection

        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [json.dumps(sys.path), str(theirs.fileno()), self._decoder, str(self._timeout_s)]
            # The files of a data set are read by FFmpeg, which is chatty: nobody listens.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _ENTRY, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )  # fmt: skip
        self._connection = Connection(ours.detach())
        atexit.unregister(self.close)
        atexit.register(self.close)
        try:
            if self._connection.poll(_START_TIMEOUT_S):
                self._connection.recv_bytes()
                return
        except (EOFError, OSError):
            pass
        process = self._process
        self._wait(process, kills=False)
        self.close()
        raise DataprepError(
            f"the process that reads videos does not start (exit code {process.returncode}); "
            f"check that {sys.executable} runs and that there is memory left"
        )

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], *, kills: bool) -> None:
        """Take in a process that is ending; one that waits for a dead disk cannot be killed and is left behind."""
        import subprocess

        if kills:
            process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)


def serve(descriptor: int, decoder: str, timeout_s: float) -> None:
    """Answer the requests that come in over a socket; the reader process spends its life here."""
    import signal
    from multiprocessing.connection import Connection
    from queue import SimpleQueue

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    module = importlib.import_module(decoder)
    connection = Connection(descriptor)
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, requests), daemon=True).start()
    connection.send_bytes(b"ready")
    while True:
        request = requests.get()
        # Should nobody be left to kill this process, the system does, whatever C code is busy with.
        signal.setitimer(signal.ITIMER_REAL, timeout_s + _GRACE_S)
        for answer in _answer(module, json.loads(request)):
            connection.send_bytes(answer)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _listen(connection: Connection, requests: Any) -> None:
    """Hand requests on, and end this process with the one that sent them."""
    while True:
        try:
            requests.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)


def _answer(module: Any, request: dict[str, Any]) -> list[Any]:
    path = request["path"]
    try:
        if request["call"] == "probe_video":
            header: VideoHeader = module.probe_video(path)
            fields = {name: getattr(header, name) for name in VideoHeader.__slots__}
            return [json.dumps({"header": fields}).encode()]
        frames = module.read_frames(path, request["indices"])
    except MediaError as error:
        return [json.dumps({"media_error": [error.reason, error.detail]}).encode()]
    except ConfigError as error:
        return [json.dumps({"config_error": str(error)}).encode()]
    except Exception as error:  # what C code makes of a file may surface as anything
        detail = f"cannot be read as a video: {type(error).__name__}: {error}"
        return [json.dumps({"media_error": ["unreadable", detail]}).encode()]
    shapes = [frame.shape for frame in frames]
    return [json.dumps({"shapes": shapes}).encode(), *(memoryview(frame.tobytes()) for frame in frames)]


_reader = VideoReader()


def probe_video(path: str | Path) -> VideoHeader:
    """Read the facts of a video as :func:`dataprep.media.video.probe_video` does, in the reader process.

    Raises:
        ConfigError: If neither decord nor PyAV is installed.
        MediaError: As there, and with reason ``timeout`` or ``crashed``.
    """
    return _reader.probe_video(path)


def read_frames(path: str | Path, indices: Sequence[int]) -> list[Frame]:
    """Read frames of a video as :func:`dataprep.media.video.read_frames` does, in the reader process.

    Raises:
        ConfigError: If neither decord nor PyAV is installed.
        MediaError: As there, and with reason ``timeout`` or ``crashed``.
    """
    return _reader.read_frames(path, indices)
