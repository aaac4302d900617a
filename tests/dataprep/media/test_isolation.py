"""The reader process of videos: what hangs or crashes it is one file's error, and it never outlives its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dataprep import lint
from dataprep.config import LintConfig
from dataprep.errors import DataprepError, MediaError
from dataprep.media import isolation, video
from dataprep.media.isolation import VideoReader
from tests.dataprep.conversions import text_row, write_rows

ODD = "tests.dataprep.media.odd_decoders"
ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def reader() -> Iterator[VideoReader]:
    made = VideoReader(ODD, timeout_s=0.5)
    yield made
    made.close()


def is_alive(pid: int) -> bool:
    """Whether a process or a thread of it runs; one that has ended and was not taken in yet does not."""
    try:
        states = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
        return len(states) > 1 or any("\nState:\tZ" not in state for state in states)
    except OSError:  # one of them has just ended
        return Path(f"/proc/{pid}").exists()


def wait_until_gone(pid: int, *, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(pid)


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("hang", "timeout", "took longer than 0.5 s"),
        ("hang-in-c", "timeout", "took longer than 0.5 s"),
        ("crash", "crashed", "crashed the video reader (signal 11)"),
        ("exit", "crashed", "crashed the video reader (exit code 3)"),
        ("odd-error", "unreadable", "ZeroDivisionError: frame rate"),
        ("media-error", "no-frames", "has no frames"),
    ],
)
def test_a_bad_file_is_an_error_and_the_next_file_is_read(
    reader: VideoReader, name: str, reason: str, detail: str
) -> None:
    with pytest.raises(MediaError) as caught:
        reader.probe_video(f"{name}.mp4")
    assert caught.value.path == f"{name}.mp4"
    assert caught.value.reason == reason
    assert detail in caught.value.detail
    assert reader.probe_video("good.mp4").fps == 29.97


def test_a_file_that_takes_too_much_memory_is_an_error_and_the_next_file_is_read() -> None:
    reader = VideoReader(ODD, timeout_s=30, memory_bytes=200 << 20)
    try:
        with pytest.raises(
            MediaError, match=r"takes too much memory to read \(0\.\d GB, the limit is 0\.2 GB\)"
        ) as caught:
            reader.probe_video("hungry.mp4")
        assert caught.value.reason == "too-much-memory"
        assert reader.probe_video("good.mp4").fps == 29.97
    finally:
        reader.close()


def test_one_call_may_have_a_limit_of_its_own(reader: VideoReader) -> None:
    with pytest.raises(MediaError, match=r"longer than 0\.1 s"):
        reader.probe_video("hang.mp4", timeout_s=0.1)
    reader.probe_video("good.mp4")  # the process starts before the clock runs
    with pytest.raises(MediaError, match=r"longer than 0\.5 s"):
        reader.probe_video("hang.mp4")


def test_where_the_system_says_nothing_of_memory_there_is_no_limit() -> None:
    assert isolation._memory_of(os.getpid()) > 1 << 20
    assert isolation._memory_of(-1) == 0


def test_what_read_the_frames_comes_across(reader: VideoReader) -> None:
    assert reader.decode_frames("good.mp4", [1]).reader == "odd"
    assert reader.probe_video("good.mp4").reader == "decord"


def test_one_process_serves_all_good_files_and_ends_when_it_is_closed(reader: VideoReader) -> None:
    pids = {reader.probe_video(f"{number}.mp4").num_frames for number in range(3)}  # the odd decoder tells its process
    assert len(pids) == 1
    assert os.getpid() not in pids
    reader.close()
    (pid,) = pids
    assert not Path(f"/proc/{pid}").exists()  # taken in: no zombie is left


def test_a_process_killed_while_it_is_idle_is_replaced(reader: VideoReader) -> None:
    pid = reader.probe_video("good.mp4").num_frames
    os.kill(pid, signal.SIGKILL)
    assert wait_until_gone(pid)
    assert reader.probe_video("good.mp4").num_frames != pid


def test_frames_come_across_in_the_order_asked_for(reader: VideoReader) -> None:
    frames = reader.read_frames("good.mp4", [7, 2, 7])
    assert [int(frame[0, 0, 0]) for frame in frames] == [7, 2, 7]
    assert frames[0].shape == (2, 4, 3)
    with pytest.raises(MediaError, match="signal 11"):
        reader.read_frames("crash.mp4", [1])


def test_a_reader_that_cannot_start_is_a_clear_error() -> None:
    with pytest.raises(DataprepError, match="does not start"):
        VideoReader("no.such.module").probe_video("good.mp4")


def test_real_videos_read_as_in_this_process(goldens: Path) -> None:
    pytest.importorskip("decord")
    path = goldens / "videos" / "v30.mp4"
    assert isolation.probe_video(path) == video.probe_video(path)
    pairs = zip(isolation.read_frames(path, [29, 3]), video.read_frames(path, [29, 3]), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_a_video_that_crashes_its_reader_is_a_finding_of_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: VideoReader
) -> None:
    monkeypatch.setattr(isolation, "_reader", reader)
    rows = [{"query": "<video>q", "response": "r", "videos": [f"{name}.mp4"]} for name in ("hang", "crash", "good")]
    for name in ("hang", "crash", "good"):
        (tmp_path / f"{name}.mp4").write_bytes(b"\0")
    source = write_rows(tmp_path / "rows.jsonl", [*rows, text_row(1)])
    report = lint([source], LintConfig(media_timeout=1))
    found = [
        (finding.code, finding.location.line, finding.message) for finding in report.findings if finding.code == "V352"
    ]
    assert [(code, line) for code, line, _ in found] == [("V352", 1), ("V352", 2)]
    assert "took longer than 1 s" in found[0][2]
    helps = [finding.help or "" for finding in report.findings if finding.code == "V352"]
    assert ["--media-timeout" in text for text in helps] == [True, False]
    assert "signal 11" in found[1][2]
    assert report.num_rows == 4


@pytest.mark.parametrize("name", ["good", "hang"])
def test_the_process_ends_with_its_owner(name: str) -> None:
    code = (
        "import sys, threading, time\n"
        "from dataprep.media.isolation import VideoReader\n"
        f"reader = VideoReader({ODD!r}, timeout_s=50)\n"
        "print(reader.probe_video('good.mp4').num_frames, flush=True)\n"
        f"reader.probe_video('{name}.mp4')\n"
        "time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        time.sleep(0.2)
        owner.kill()
        assert wait_until_gone(pid)


def test_files_without_videos_start_no_process(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    code = (
        "import sys; from dataprep import lint; from dataprep.media import isolation\n"
        "lint([sys.argv[1]]); print(isolation._reader._process)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, source], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "None\n"
