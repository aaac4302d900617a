"""Odd videos through the reader process, lint and conversion: a finding, or the right frames."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataprep import convert, lint
from dataprep.config import LintConfig
from dataprep.media import isolation, video
from dataprep.media.video import PYAV, Decoded, choose_frames
from dataprep.shards.reader import open_shards
from dataprep.shards.verify import verify
from tests.dataprep.conversions import make_options, read_ledger, write_rows

av = pytest.importorskip("av")
pytest.importorskip("decord")

# Rotation matrices of QuickTime, 16.16 fixed point but for the last column.
MATRICES = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def write_video(path: Path, *, codec: str = "mpeg4", times: list[int] | None = None, num_frames: int = 12) -> Path:
    """Write frames whose red tells their number, with a white corner; times are in hundredths of a second."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        for number, time in enumerate(times or range(0, 4 * num_frames, 4)):
            pixels = np.zeros((48, 64, 3), np.uint8)
            pixels[..., 0] = 20 * number
            pixels[:16, :16] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 100)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_audio(path: Path) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44_100)
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, 1024 * number
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def rotate(path: Path, degrees: int) -> Path:
    """Give the track of an MP4 file a rotation."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (65_536 * number for number in MATRICES[degrees])
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    turned = path.with_name(f"turned-{degrees}.mp4")
    turned.write_bytes(data)
    return turned


def damage(path: Path, name: str, *, start: int, length: int, keep: int | None = None) -> Path:
    """Overwrite some of the frames' bytes with zeros, or cut the file off."""
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + start
    data[at : at + length] = bytes(length)
    damaged = path.with_name(name)
    damaged.write_bytes(data[:keep])
    return damaged


def codes_of(*paths: Path) -> list[set[str]]:
    """Return the codes of each video as a row of lint."""
    folder = paths[0].parent
    rows = [{"query": "<video>What?", "response": "A dot.", "videos": [path.name]} for path in paths]
    report = lint([write_rows(folder / "rows.jsonl", rows)])
    return [{f.code for f in report.findings if f.location.line == n + 1} for n in range(len(paths))]


@pytest.mark.parametrize("degrees", MATRICES)
def test_rotated_videos_come_upright(tmp_path: Path, degrees: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = write_video(tmp_path / "plain.mp4")
    turned = rotate(plain, degrees)
    header = isolation.probe_video(turned)
    assert (header.width, header.height) == ((64, 48) if degrees % 180 == 0 else (48, 64))
    upright = [np.rot90(frame, -degrees // 90) for frame in video.read_frames(plain, [0, 7])]
    assert np.array_equal(isolation.read_frames(turned, [0, 7]), upright)
    monkeypatch.setattr(video, "_decord", lambda: None)
    assert np.array_equal(video.read_frames(turned, [0, 7]), upright)
    # Of rows of 48 pixels, which are padded to 64, decord makes noise.
    assert codes_of(turned) == [set() if degrees % 180 == 0 else {"V357"}]


def test_frames_of_a_variable_rate_are_chosen_by_number(tmp_path: Path) -> None:
    times = [0, 4, 8, 12, 50, 54, 58, 100, 104, 160, 164, 168]
    path = write_video(tmp_path / "varies.mp4", times=times)
    header = isolation.probe_video(path)
    assert (header.num_frames, header.is_variable_rate) == (12, True)
    indices = choose_frames(12)
    reds = [round(int(frame[40, 40, 0]) / 20) for frame in isolation.read_frames(path, indices)]
    assert reds == indices
    assert codes_of(path) == [{"V355"}]


@pytest.mark.parametrize("name", ["audio.mp4", "audio.mkv", "audio.mov"])
def test_sound_without_pictures_is_a_finding(tmp_path: Path, name: str) -> None:
    assert codes_of(write_audio(tmp_path / name)) == [{"V352"}]


def test_damaged_files_are_findings(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=12)
    size = path.stat().st_size
    cut = damage(path, "cut.mp4", start=0, length=0, keep=size // 3)
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(path.read_bytes().replace(b"moov", b"none"))
    zeros = damage(path, "zeros.mp4", start=4, length=size)
    assert codes_of(cut, headless, zeros) == [{"V352"}] * 3


def test_frames_that_cannot_be_decoded_reject_the_row(tmp_path: Path, goldens: Path) -> None:
    (tmp_path / "a.mp4").write_bytes((goldens / "videos" / "v101.mp4").read_bytes())
    damaged = damage(tmp_path / "a.mp4", "b.mp4", start=30_000, length=60_000)
    rows = [{"query": "<video>What?", "response": "A dot.", "videos": [name]} for name in ("a.mp4", damaged.name)]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=0.5))
    outcomes = [(line["outcome"], "V352" in line["codes"]) for line in read_ledger(tmp_path / "out")]
    assert outcomes == [("converted", False), ("rejected", True)]


def second_reader_codes(folder: Path, name: str) -> list[str]:
    """Convert one row with one video; return its codes in the ledger."""
    rows = [{"query": "<video>What?", "response": "A dot.", "videos": [name]}]
    convert([write_rows(folder / "rows.jsonl", rows)], folder / "out", make_options())
    assert verify(folder / "out").ok
    (line,) = read_ledger(folder / "out")
    assert line["outcome"] == "converted"
    return list(line["codes"])


def test_the_ledger_says_what_the_second_reader_read(tmp_path: Path) -> None:
    try:
        write_video(tmp_path / "a.mp4", codec="libsvtav1")
    except av.codec.codec.UnknownCodecError:
        pytest.skip("this PyAV makes no AV1 videos, which decord cannot read")
    assert "V357" in second_reader_codes(tmp_path, "a.mp4")
    frame = open_shards(tmp_path / "out").media(0)
    assert (frame.width, frame.height, frame.format) == (64, 48, "png")


def test_the_ledger_says_so_where_decord_opens_a_video_and_fails_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "a.mp4")

    def decode(path: Path, indices: list[int], *, timeout_s: float) -> Decoded:
        return Decoded(video.read_frames(path, indices), PYAV)

    monkeypatch.setattr("dataprep.media_placing.decode_frames", decode)
    assert "V357" in second_reader_codes(tmp_path, "a.mp4")


def test_the_ledger_says_nothing_where_decord_reads(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    assert "V357" not in second_reader_codes(tmp_path, "a.mp4")


@pytest.fixture(scope="module")
def real_videos(real_rows: Path) -> list[dict[str, Any]]:
    """What is known of each real video."""
    facts = json.loads((real_rows / "FACTS_media.json").read_text(encoding="utf-8"))["media"]
    return [fact for fact in facts if "codec" in fact]


def test_every_real_video_gives_the_right_frames(real_videos: list[dict[str, Any]], real: Path) -> None:
    import decord

    assert len(real_videos) >= 12
    for fact in real_videos:
        path = real / fact["file"]
        header = isolation.probe_video(path)
        is_turned = fact["rotation"] % 180 != 0
        size = (fact["height"], fact["width"]) if is_turned else (fact["width"], fact["height"])
        if path.name != "nasa_13013.mp4":  # two streams: the facts are those of the lesser one
            assert (header.width, header.height, header.num_frames) == (*size, fact["frames_decoded"]), path.name
        indices = choose_frames(header.num_frames)
        decoded = isolation.decode_frames(path, indices)
        assert decoded.reader == header.reader == ("PyAV" if "dav1d" in fact["codec"] else "decord"), path.name
        assert len(decoded.frames) == 8
        if decoded.reader == "decord":
            expected = decord.VideoReader(str(path), num_threads=1).get_batch(indices).asnumpy()
            assert np.array_equal(decoded.frames, expected), path.name
        else:
            assert len({frame.tobytes() for frame in decoded.frames}) > 1


def test_every_real_video_converts(real_videos: list[dict[str, Any]], real: Path, tmp_path: Path) -> None:
    files = [fact["file"] for fact in real_videos if fact["bytes"] < 1_000_000]
    rows = [{"query": "<video>What?", "response": "A thing.", "videos": [file]} for file in files]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    convert([source], tmp_path / "out", make_options(media_root=real))
    ledger = read_ledger(tmp_path / "out")
    assert {line["outcome"] for line in ledger} == {"converted"}
    noted = {file for file, line in zip(files, ledger, strict=True) if "V357" in line["codes"]}
    assert noted == {fact["file"] for fact in real_videos if "dav1d" in fact["codec"]}


def test_damaged_frames_are_found_at_level_3_and_remembered(
    tmp_path: Path, goldens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataprep.media.cache._TICK_NS", -(10**12))
    (tmp_path / "a.mp4").write_bytes((goldens / "videos" / "v101.mp4").read_bytes())
    damage(tmp_path / "a.mp4", "b.mp4", start=30_000, length=60_000)
    rows = [{"query": "<video>What?", "response": "A dot.", "videos": [name]} for name in ("a.mp4", "b.mp4")]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    config = LintConfig(level=3, cache=tmp_path / "cache")
    first = lint([source], config)
    assert [(f.code, f.location.line) for f in first.findings if f.code[0] == "V"] == [("V358", 2)]
    monkeypatch.setattr("dataprep.media.index.decode_frames", None)
    assert lint([source], config) == first
    with pytest.raises(TypeError):
        lint([source], LintConfig(level=3, cache=tmp_path / "cache", video_frames=4))
