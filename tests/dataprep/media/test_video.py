"""Frame counts, choices and pixels against the reference's, and files that must not stall a worker."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataprep.errors import ConfigError, MediaError
from dataprep.media import video
from dataprep.media.video import choose_frames, frame_to_png, probe_video, read_frames

COUNTS = {"v1.mp4": 1, "v5.mp4": 5, "v8.mp4": 8, "v30.mp4": 30, "v101.mp4": 101}


def needs_backend(name: str) -> None:
    pytest.importorskip(name)


@pytest.mark.parametrize(
    ("num_frames", "expected"),
    [
        (30, [1, 5, 8, 12, 15, 19, 23, 26]),
        (101, [6, 18, 31, 44, 56, 68, 81, 94]),
        (8, [0, 1, 2, 3, 4, 4, 5, 6]),
        (5, [0, 0, 1, 2, 2, 2, 3, 4]),
        (1, [0] * 8),
    ],
)
def test_choice_of_frames(num_frames: int, expected: list[int]) -> None:
    assert choose_frames(num_frames) == expected


def test_exact_choice_equals_the_float_formula() -> None:
    for num_segments in (1, 2, 3, 4, 8, 16):
        for num_frames in range(1, 3000, 7):
            segment = (num_frames - 1) / num_segments
            floats = [int(segment / 2 + np.round(segment * k)) for k in range(num_segments)]
            assert choose_frames(num_frames, num_segments=num_segments) == floats


def test_choice_needs_frames() -> None:
    with pytest.raises(ValueError, match="0 frames"):
        choose_frames(0)


@pytest.mark.parametrize("name", COUNTS)
def test_golden_videos(goldens: Path, name: str) -> None:
    needs_backend("decord")
    header = probe_video(goldens / "videos" / name)
    assert (header.num_frames, header.format) == (COUNTS[name], "mp4")
    frames = read_frames(goldens / "videos" / name, choose_frames(header.num_frames))
    assert len(frames) == 8
    assert all(frame.shape == (header.height, header.width, 3) for frame in frames)


def test_frames_equal_the_reference(goldens: Path) -> None:
    needs_backend("decord")
    rows = {}
    for line in (goldens / "rows.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows[row["id"]] = row.get("row") or {}
    checked = 0
    for line in (goldens / "goldens.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        encoding = (record["encoded"] or {}).get("internvl2") or {}
        paths = rows[record["id"]].get("videos") or []
        paths = [paths] if isinstance(paths, str) else paths
        if len(encoding.get("frame_indices") or []) != 1 or len(paths) != 1:
            continue
        path = goldens / paths[0]
        indices = choose_frames(probe_video(path).num_frames)
        assert [indices] == encoding["frame_indices"], record["id"]
        hashes = [hashlib.sha256(frame.tobytes()).hexdigest() for frame in read_frames(path, indices)]
        golden = [image["rgb_sha256"] for image in encoding["images"]]
        assert any(golden[i : i + 8] == hashes for i in range(len(golden))), record["id"]
        checked += 1
    assert checked >= 3


def test_pyav_gives_the_same_bytes(goldens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_backend("decord")
    needs_backend("av")
    path = goldens / "videos" / "v30.mp4"
    header, frames = probe_video(path), read_frames(path, [29, 3, 3])
    monkeypatch.setattr(video, "_decord", lambda: None)
    assert probe_video(path) == replace(header, reader="PyAV")
    assert header.reader == "decord"
    assert all(np.array_equal(a, b) for a, b in zip(frames, read_frames(path, [29, 3, 3]), strict=True))


def test_rotation_and_odd_containers(real: Path) -> None:
    needs_backend("decord")
    needs_backend("av")
    assert [probe_video(real / "nasty/decord" / f"video_{turn}.mov").width for turn in (0, 90, 180, 270)] == [
        568, 320, 568, 320,
    ]  # fmt: skip
    av1 = probe_video(real / "nasty/torchcodec/av1_video.mkv")
    assert (av1.num_frames, av1.format) == (125, "matroska")
    # Two video streams: the better one counts.
    assert probe_video(real / "nasty/torchcodec/nasa_13013.mp4").num_frames == 390


@pytest.mark.parametrize("rows", ["rows_nasty_video.jsonl", "rows_video.jsonl"])
def test_real_videos_equal_decord(real_rows: Path, rows: str) -> None:
    decord = pytest.importorskip("decord")
    for line in (real_rows / rows).read_text(encoding="utf-8").splitlines():
        path = real_rows.parent / json.loads(line)["videos"][0]
        header = probe_video(path)
        indices = choose_frames(header.num_frames)
        frames = read_frames(path, indices)
        assert frames[0].shape == (header.height, header.width, 3)
        if path.suffix == ".mkv":
            continue
        reader = decord.VideoReader(str(path), num_threads=1)
        assert len(reader) == header.num_frames
        assert np.array_equal(np.stack(frames), reader.get_batch(indices).asnumpy()), path.name


def reason_of(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        probe_video(path)
    return caught.value.reason


def test_files_that_are_no_videos(tmp_path: Path, goldens: Path) -> None:
    needs_backend("av")
    (tmp_path / "text.mp4").write_text("this is not a video")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "lfs.mp4").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    whole = (goldens / "videos" / "v101.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[:60_000])
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n")
    assert reason_of(tmp_path / "text.mp4") == "not-a-video"
    assert reason_of(tmp_path / "empty.mp4") == "empty"
    assert reason_of(tmp_path / "noise.mp4") == "not-a-video"
    assert reason_of(tmp_path / "lfs.mp4") == "lfs-pointer"
    assert reason_of(tmp_path / "cut.mp4") == "not-a-video"
    assert reason_of(tmp_path / "list.mp4") == "not-a-video"
    assert reason_of(tmp_path / "none.mp4") == "missing"
    assert reason_of(tmp_path) == "is-directory"


def test_damaged_pixels_end_in_an_error(tmp_path: Path, goldens: Path) -> None:
    needs_backend("av")
    data = bytearray((goldens / "videos" / "v101.mp4").read_bytes())
    start = data.index(b"mdat") + 30_000
    data[start : start + 60_000] = bytes(60_000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    with pytest.raises(MediaError) as caught:
        read_frames(path, choose_frames(101))
    assert caught.value.reason == "damaged-data"


def test_frame_numbers_are_checked(goldens: Path) -> None:
    needs_backend("decord")
    for wanted in ([8], [-1]):
        with pytest.raises(MediaError, match="frame"):
            read_frames(goldens / "videos" / "v8.mp4", wanted)
    assert read_frames(goldens / "videos" / "v8.mp4", []) == []


def test_missing_packages_name_the_extra(goldens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "_optional", lambda module: None)
    with pytest.raises(ConfigError, match=r"dataprep-vl\[video\]"):
        probe_video(goldens / "videos" / "v8.mp4")


def test_png_of_a_frame_is_lossless_and_repeatable() -> None:
    frame = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
    data = frame_to_png(frame)
    assert data == frame_to_png(frame.copy())
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), frame)


def test_import_is_light() -> None:
    code = "import sys, dataprep.media.video; assert not {'decord', 'av', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_decoders_write_nothing_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    needs_backend("decord")
    (tmp_path / "noise.mp4").write_bytes(bytes(range(1, 250)) * 40)
    with pytest.raises(MediaError):
        probe_video(tmp_path / "noise.mp4")
    os.write(2, b"still open")
    assert capfd.readouterr() == ("", "still open")


def test_a_closed_standard_error_is_no_hindrance(goldens: Path) -> None:
    needs_backend("decord")
    code = (
        "import os, sys; from dataprep.media.video import probe_video; os.close(2); "
        "print(probe_video(sys.argv[1]).num_frames)"
    )
    command = [sys.executable, "-c", code, str(goldens / "videos" / "v30.mp4")]
    assert subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout == "30\n"
