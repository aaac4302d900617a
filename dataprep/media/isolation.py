"""Read videos in a process of its own, which may hang or crash without taking the run along.

decord and FFmpeg are C code that damaged or hostile files can drive into endless loops and invalid memory. Data flow:
request (JSON) -> one reader process per process of ours -> answer (JSON, then frames as raw bytes) over a socket. The
reader starts with the first video, not before. A file on which it takes too long, or dies, gets a MediaError; the
reader is killed then, and the next file gets a fresh one. So it is with a file that makes it take too much memory,
which this process watches while it waits (on systems that tell, as Linux does under ``/proc``).
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataprep.errors import ConfigError, DataprepError, MediaError
from dataprep.media.video import Decoded, VideoHeader

if TYPE_CHECKING:
    import subprocess
    from multiprocessing.connection import Connection

    from dataprep.media.video import Frame

TIMEOUT_S = 60.0
"""Seconds that one call about one video may take."""
MEMORY_BYTES = 4 << 30
"""Memory that the reader may take for one video; eight frames of 8192x4320 pixels are 0.8 GB."""
_WATCH_S = 0.05
_START_TIMEOUT_S = 120.0
_GRACE_S = 5.0
_ENTRY = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from dataprep.media.isolation import serve; serve(int(sys.argv[2]), sys.argv[3])"
)


class VideoReader:
    """A process that reads videos, as this process sees it. Safe to use from several threads, which take turns.

    Args:
        decoder: Name of the module with the functions ``probe_video`` and ``decode_frames``.
        timeout_s: Seconds that one call may take, unless it says otherwise.
        memory_bytes: Memory that the process may take.
    """

    def __init__(
        self,
        decoder: str = "dataprep.media.video",
        *,
        timeout_s: float = TIMEOUT_S,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._decoder = decoder
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def probe_video(self, path: str | Path, *, timeout_s: float | None = None) -> VideoHeader:
        """Do what :func:`dataprep.media.video.probe_video` does.

        Raises:
            MediaError: As there, and with reason ``timeout``, ``too-much-memory`` or ``crashed``.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        with self._lock:
            return VideoHeader(**self._ask(path, {"call": "probe_video"}, limit_s)["header"])

    def decode_frames(self, path: str | Path, indices: Sequence[int], *, timeout_s: float | None = None) -> Decoded:
        """Do what :func:`dataprep.media.video.decode_frames` does, but the frames are read-only; raises as above."""
        import numpy as np

        wanted, limit_s = sorted(set(indices)), self._timeout_s if timeout_s is None else timeout_s
        with self._lock:
            answer = self._ask(path, {"call": "decode_frames", "indices": wanted}, limit_s)
            shapes = answer["shapes"]
            pixels = [self._receive(path, limit_s) for _ in shapes]
        arrays = [np.frombuffer(data, np.uint8).reshape(shape) for data, shape in zip(pixels, shapes, strict=True)]
        frames = dict(zip(wanted, arrays, strict=True))
        return Decoded([frames[index] for index in indices], answer["reader"])

    def read_frames(self, path: str | Path, indices: Sequence[int]) -> list[Frame]:
        """Do what :func:`dataprep.media.video.read_frames` does; see :meth:`decode_frames`."""
        return self.decode_frames(path, indices).frames

    def close(self) -> None:
        """End the process, if there is one."""
        process, connection, is_mine = self._process, self._connection, self._owner == os.getpid()
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is not None and is_mine:  # a process that was forked from the owner does not end the owner's reader
            self._wait(process, kills=True)

    def _ask(self, path: str | Path, request: dict[str, Any], limit_s: float) -> Any:
        connection = self._connect()
        whole = {**request, "path": os.path.abspath(path), "limit_s": limit_s}  # noqa: PTH100
        try:
            connection.send_bytes(json.dumps(whole).encode())
        except OSError:
            raise self._crash(path) from None
        answer = json.loads(self._receive(path, limit_s))
        if "media_error" in answer:
            raise MediaError(str(path), *answer["media_error"])
        if "config_error" in answer:
            raise ConfigError(answer["config_error"])
        return answer

    def _receive(self, path: str | Path, limit_s: float) -> bytes:
        assert self._connection is not None
        assert self._process is not None
        end_s = time.monotonic() + limit_s
        while (left_s := end_s - time.monotonic()) > 0:
            try:
                if self._connection.poll(min(left_s, _WATCH_S)):
                    return self._connection.recv_bytes()
            except (EOFError, OSError):
                raise self._crash(path) from None
            used = _memory_of(self._process.pid)
            if used > self._memory_bytes:
                self.close()
                sizes = f"{used / 1e9:.1f} GB, the limit is {self._memory_bytes / 1e9:.1f} GB"
                raise MediaError(str(path), "too-much-memory", f"takes too much memory to read ({sizes})")
        self.close()
        detail = f"took longer than {limit_s:g} s to read; the file is damaged, or its disk is very slow"
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
            arguments = [json.dumps(sys.path), str(theirs.fileno()), self._decoder]
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


def _memory_of(pid: int) -> int:
    """Return the bytes of memory that a process has; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123 - twenty times a second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def serve(descriptor: int, decoder: str) -> None:
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
        request = json.loads(requests.get())
        # Should nobody be left to kill this process, the system does, whatever C code is busy with.
        signal.setitimer(signal.ITIMER_REAL, request["limit_s"] + _GRACE_S)
        for answer in _answer(module, request):
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
        decoded: Decoded = module.decode_frames(path, request["indices"])
    except MediaError as error:
        return [json.dumps({"media_error": [error.reason, error.detail]}).encode()]
    except ConfigError as error:
        return [json.dumps({"config_error": str(error)}).encode()]
    except Exception as error:  # what C code makes of a file may surface as anything
        detail = f"cannot be read as a video: {type(error).__name__}: {error}"
        return [json.dumps({"media_error": ["unreadable", detail]}).encode()]
    head = {"shapes": [frame.shape for frame in decoded.frames], "reader": decoded.reader}
    return [json.dumps(head).encode(), *(frame.data.cast("B") for frame in decoded.frames)]


_reader = VideoReader()


def probe_video(path: str | Path, *, timeout_s: float | None = None) -> VideoHeader:
    """Read the facts of a video as :func:`dataprep.media.video.probe_video` does, in the reader process.

    Args:
        path: The video file.
        timeout_s: Seconds that it may take; None is :data:`TIMEOUT_S`.

    Raises:
        ConfigError: If neither decord nor PyAV is installed.
        MediaError: As there, and with reason ``timeout``, ``too-much-memory`` or ``crashed``.
    """
    return _reader.probe_video(path, timeout_s=timeout_s)


def decode_frames(path: str | Path, indices: Sequence[int], *, timeout_s: float | None = None) -> Decoded:
    """Read frames of a video as :func:`dataprep.media.video.decode_frames` does, in the reader process.

    Args:
        path: The video file.
        indices: Frame numbers.
        timeout_s: Seconds that it may take; None is :data:`TIMEOUT_S`.

    Raises:
        ConfigError: If neither decord nor PyAV is installed.
        MediaError: As there, and with reason ``timeout``, ``too-much-memory`` or ``crashed``.
    """
    return _reader.decode_frames(path, indices, timeout_s=timeout_s)


def read_frames(path: str | Path, indices: Sequence[int]) -> list[Frame]:
    """Read frames of a video in the reader process; see :func:`decode_frames`."""
    return decode_frames(path, indices).frames
