"""What is remembered of media: right for as long as a file is the same, and never in the way."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from dataprep.cli import app
from dataprep.config import LintConfig
from dataprep.conversion import convert
from dataprep.errors import MediaError
from dataprep.linting import lint
from dataprep.media import cache as cache_module
from dataprep.media import index as index_module
from dataprep.media import pixels as pixels_module
from dataprep.media.cache import FILE_NAME, MediaCache, default_folder
from dataprep.media.image_header import ImageHeader
from dataprep.media.index import MediaIndex
from dataprep.media.probe import probe_image_file
from dataprep.media.video import VideoHeader
from dataprep.records import MediaRef
from tests.dataprep.conversions import image_row, make_options, write_rows

HEADER = ImageHeader("TIFF", 30, 20, 1, "RGB", None, False, None)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files that were just written for files that nobody is writing."""
    monkeypatch.setattr(cache_module, "_TICK_NS", -(10**12))
    monkeypatch.setattr(cache_module, "_COARSE_TICK_NS", -(10**12))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    Image.linear_gradient("L").convert("RGB").save(path)
    return path


class Asked:
    """A finder that counts how often it is asked."""

    def __init__(self, answer: ImageHeader | MediaError = HEADER) -> None:
        self.answer = answer
        self.count = 0

    def __call__(self) -> ImageHeader:
        self.count += 1
        if isinstance(self.answer, MediaError):
            raise self.answer
        return self.answer


def recall(folder: Path, file: Path, find: Asked) -> ImageHeader:
    cache = MediaCache(folder)
    try:
        return cache.recall("image", str(file), ImageHeader, find)
    finally:
        cache.close()


def test_a_file_is_looked_at_once(tmp_path: Path, photo: Path) -> None:
    find = Asked()
    assert [recall(tmp_path / "cache", photo, find) for _ in range(3)] == [HEADER] * 3
    assert find.count == 1


def test_what_waits_to_be_written_is_known_already(tmp_path: Path, photo: Path) -> None:
    cache, find = MediaCache(tmp_path / "cache"), Asked()
    for _ in range(2):
        assert cache.recall("image", str(photo), ImageHeader, find) == HEADER
    assert find.count == 1
    cache.close()


@pytest.mark.parametrize("change", ["size", "time", "restored time", "another file"])
def test_a_changed_file_is_looked_at_anew(tmp_path: Path, photo: Path, change: str) -> None:
    find = Asked()
    recall(tmp_path / "cache", photo, find)
    before = photo.stat()
    time.sleep(0.02)
    if change == "size":
        photo.write_bytes(photo.read_bytes() + b"x")
    elif change == "time":
        os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    elif change == "restored time":
        photo.write_bytes(bytes(before.st_size))
        os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        shutil.copy2(photo, tmp_path / "copy")
        (tmp_path / "copy").replace(photo)
    recall(tmp_path / "cache", photo, find)
    assert find.count == 2


def test_another_release_or_decoder_finds_nothing(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = Asked()
    recall(tmp_path / "cache", photo, find)
    monkeypatch.setattr(cache_module, "_versions", lambda kind: "dataprep=99")
    recall(tmp_path / "cache", photo, find)
    assert find.count == 2


def test_failures_of_the_bytes_are_remembered(tmp_path: Path, photo: Path) -> None:
    find = Asked(MediaError(str(photo), "truncated-data", "is cut off", suggestion="b.jpg"))
    for _ in range(2):
        with pytest.raises(MediaError) as caught:
            recall(tmp_path / "cache", photo, find)
        assert caught.value.args == (str(photo), "truncated-data", "is cut off", "b.jpg")
    assert find.count == 1


def test_failures_that_may_pass_are_not(tmp_path: Path, photo: Path) -> None:
    find = Asked(MediaError(str(photo), "unreadable", "cannot be read"))
    for _ in range(2):
        with pytest.raises(MediaError, match="cannot be read"):
            recall(tmp_path / "cache", photo, find)
    assert find.count == 2


def test_a_file_that_is_being_written_is_not_remembered(
    tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_TICK_NS", 10**12)
    find = Asked()
    recall(tmp_path / "cache", photo, find)
    recall(tmp_path / "cache", photo, find)
    assert find.count == 2


def test_what_is_no_file_is_not_remembered(tmp_path: Path) -> None:
    find = Asked()
    for _ in range(2):
        recall(tmp_path / "cache", tmp_path, find)
        recall(tmp_path / "cache", tmp_path / "missing", find)
    assert find.count == 4
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at" * 50, b"SQLite format 3\0"])
def test_a_damaged_cache_is_made_anew(
    tmp_path: Path, photo: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(content)
    find = Asked()
    with caplog.at_level(logging.WARNING):
        assert [recall(folder, photo, find) for _ in range(2)] == [HEADER] * 2
    assert find.count == 1
    assert [record.getMessage().count("made anew") for record in caplog.records] == [1]


def test_pages_that_are_overwritten_are_found_out(
    tmp_path: Path, photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, find = tmp_path / "cache", Asked()
    recall(folder, photo, find)
    data = bytearray((folder / FILE_NAME).read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    (folder / FILE_NAME).write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert [recall(folder, photo, find) for _ in range(3)] == [HEADER] * 3
    assert find.count == 2
    assert len(caplog.records) == 1


def test_another_program_s_tables_are_made_anew(tmp_path: Path, photo: Path) -> None:
    folder, find = tmp_path / "cache", Asked()
    folder.mkdir()
    with sqlite3.connect(folder / FILE_NAME) as other:
        other.execute("CREATE TABLE facts (name TEXT)")
    other.close()
    for _ in range(3):
        assert recall(folder, photo, find) == HEADER
    assert find.count <= 2


@pytest.mark.parametrize(
    "entry", [b"", b"[]", b"[null,null]", b'[{"width":"x"},null]', b'[null,["a"]]', b"\xff", 7, "text"]
)
def test_an_entry_that_says_nothing_is_passed_by(tmp_path: Path, photo: Path, entry: Any) -> None:
    folder, find = tmp_path / "cache", Asked()
    recall(folder, photo, find)
    with sqlite3.connect(folder / FILE_NAME) as connection:
        connection.execute("UPDATE facts SET entry = ?", (entry,))
    connection.close()
    assert recall(folder, photo, find) == HEADER
    assert find.count == 2


def test_a_folder_that_cannot_be_made_is_said_once(
    tmp_path: Path, photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    cache, find = MediaCache(tmp_path / "file" / "cache"), Asked()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert cache.recall("image", str(photo), ImageHeader, find) == HEADER
            cache.flush()
    assert find.count == 2
    assert ["--cache" in record.getMessage() for record in caplog.records] == [True]


def test_a_path_that_is_no_text_is_looked_at_each_time(tmp_path: Path, photo: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")
    shutil.copy(photo, odd)
    find = Asked()
    for _ in range(2):
        assert recall(tmp_path / "cache", Path(odd), find) == HEADER
    assert find.count == 2


def test_several_writers_share_one_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = [tmp_path / f"{number}.bin" for number in range(40)]
    for file in files:
        file.write_bytes(b"x")

    def work() -> None:
        cache = MediaCache(tmp_path / "cache")
        for file in files:
            cache.recall("image", str(file), ImageHeader, Asked())
            cache.flush()
        cache.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    with caplog.at_level(logging.WARNING):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not caplog.records
    find = Asked()
    assert all(recall(tmp_path / "cache", file, find) == HEADER for file in files)
    assert find.count == 0


def test_old_entries_go_when_it_grows_large(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, other = tmp_path / "cache", tmp_path / "b.jpg"
    shutil.copy(photo, other)
    find = Asked()
    recall(folder, photo, find)
    recall(folder, other, find)
    with sqlite3.connect(folder / FILE_NAME) as connection:
        connection.execute("UPDATE facts SET used = 0 WHERE file = ?", (str(other),))
    connection.close()
    size = (folder / FILE_NAME).stat().st_size
    monkeypatch.setattr(cache_module, "_LARGEST_BYTES", size + 1)
    recall(folder, photo, find)
    assert find.count == 2, "below the limit all are kept"
    sizes = iter([size + 2, size])
    monkeypatch.setattr(cache_module, "_used_bytes", lambda connection: next(sizes, 0))
    recall(folder, photo, find)
    assert find.count == 2
    recall(folder, other, find)
    assert find.count == 3


def test_entries_that_are_used_stay_young(tmp_path: Path, photo: Path) -> None:
    folder, find = tmp_path / "cache", Asked()
    recall(folder, photo, find)
    with sqlite3.connect(folder / FILE_NAME) as connection:
        connection.execute("UPDATE facts SET used = 0")
    connection.close()
    recall(folder, photo, find)
    with sqlite3.connect(folder / FILE_NAME) as connection:
        assert connection.execute("SELECT used FROM facts").fetchone()[0] == int(time.time() // 86_400)
    connection.close()


def test_the_user_s_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "dataprep"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".cache" / "dataprep"


def test_facts_of_odd_images_come_back_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "a.tiff")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-40])
    (tmp_path / "text.jpg").write_text("no image, but a few words")
    names = ["a.tiff", "cut.jpg", "text.jpg", "missing.jpg", "."]

    def look_up(cache: MediaCache | None) -> list[Any]:
        index = MediaIndex(tmp_path, cache=cache)
        found = [index.look_up(MediaRef("image", name, "images")) for name in names]
        return [(f.file, f.relative, f.header, None if f.error is None else f.error.args) for f in found]

    expected = look_up(None)
    cache = MediaCache(tmp_path / "cache")
    assert look_up(cache) == expected
    cache.close()

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("probed again")

    names[3:] = []  # what is not there is asked of the folder each time
    monkeypatch.setattr(index_module, "probe_image_file", refuse)
    assert look_up(MediaCache(tmp_path / "cache")) == expected[:3]


def test_a_second_run_decodes_nothing(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = bytearray(photo.read_bytes())
    damaged[-300:-200] = b"\xff\x01" * 50
    (tmp_path / "b.jpg").write_bytes(damaged)
    rows = tmp_path / "rows.jsonl"
    row = '{"query": "<image>What?", "response": "A picture.", "images": ["%s"]}\n'
    rows.write_text(row % "a.jpg" + row % "b.jpg")

    def findings(config: LintConfig) -> list[Any]:
        return [(f.code, f.message) for f in lint([str(rows)], config).findings]

    config = LintConfig(level=3, cache=tmp_path / "cache")
    first = findings(config)
    assert findings(LintConfig(level=3, no_cache=True)) == first
    assert [code for code, _ in first] == ["M310"]
    decoded = []
    real = pixels_module.decode_grey

    def count(data: bytes, *, name: str) -> Any:
        decoded.append(name)
        return real(data, name=name)

    monkeypatch.setattr(pixels_module, "decode_grey", count)
    assert findings(config) == first
    assert decoded == []
    assert findings(LintConfig(level=3, no_cache=True)) == first
    assert set(decoded) == {"a.jpg", "b.jpg"}
    decoded.clear()
    photo.write_bytes(photo.read_bytes() + b" ")
    assert findings(config)[-1:] == first[-1:]
    assert decoded == ["a.jpg"]


def test_conversion_uses_what_lint_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.tiff")
    rows = write_rows(tmp_path / "rows.jsonl", [image_row("a.tiff"), image_row("a.tiff", query="And now?")])
    probed = []
    real = probe_image_file

    def count(path: str, *, checks_end: bool) -> ImageHeader:
        probed.append(path)
        return real(path, checks_end=checks_end)

    monkeypatch.setattr(index_module, "probe_image_file", count)
    folder = tmp_path / "cache"
    lint([rows], LintConfig(cache=folder))
    assert probed == [str(tmp_path / "a.tiff")]
    with_cache = convert([rows], tmp_path / "one", make_options(cache=folder))
    assert len(probed) == 1
    without = convert([rows], tmp_path / "two", make_options(cache=folder, no_cache=True))
    assert len(probed) == 2
    assert with_cache.to_json() == without.to_json()


@pytest.mark.parametrize("result", ["a header", "a failure"])
def test_videos_are_probed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\x00\x00\x00\x20ftypmp42")
    header = VideoHeader("mp4", 64, 48, 12, 25.0, is_variable_rate=True)
    probed = []

    def probe(path: str, *, timeout_s: float) -> VideoHeader:
        probed.append(path)
        if result == "a failure":
            raise MediaError(path, "no-frames", "has a video stream without frames")
        return header

    monkeypatch.setattr(index_module, "probe_video", probe)
    for _ in range(3):
        cache = MediaCache(tmp_path / "cache")
        facts = MediaIndex(tmp_path, cache=cache).look_up(MediaRef("video", "a.mp4", "videos[0]"))
        cache.close()
        assert facts.video == (header if result == "a header" else None)
        assert (facts.error is None) == (result == "a header")
    assert probed == [str(tmp_path / "a.mp4")]


def test_the_options_of_the_command_line(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.tiff")
    rows = write_rows(tmp_path / "rows.jsonl", [image_row("a.tiff")])
    run = CliRunner().invoke(app, ["lint", rows, "--isolated", "--cache", str(tmp_path / "c"), "--no-cache"])
    assert run.exit_code in (0, 1), run.output
    assert not (tmp_path / "c").exists()
    CliRunner().invoke(app, ["lint", rows, "--isolated", "--cache", str(tmp_path / "c")])
    assert (tmp_path / "c" / FILE_NAME).is_file()
