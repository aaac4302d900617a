"""The short way to an image's header says what the long one says, or nothing."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dataprep.errors import MediaError
from dataprep.media import quick as quick_module
from dataprep.media.headers import JpegLayout, parse_header
from dataprep.media.image_header import ImageHeader, Window
from dataprep.media.probe import probe_image_file
from dataprep.media.quick import QuickProbe
from dataprep.media.resolve import MediaRoot


def slow(root: Path, source: str, *, allow_outside: bool = False) -> tuple[str, str, ImageHeader] | None:
    try:
        found = MediaRoot(root, allow_outside=allow_outside).resolve(source)
        if found.path is None or found.relative is None:
            return None
        return str(found.path), found.relative, probe_image_file(found.path, checks_end=True)
    except MediaError:
        return None


def jpeg(path: Path, size: tuple[int, int] = (64, 48), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.linear_gradient("L").convert("RGB").resize(size).save(path, "JPEG", **options)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    jpeg(root / "a.jpg")
    jpeg(root / "a b" / "ü.jpg")
    jpeg(root / "in" / "deep" / "x.jpg")
    jpeg(tmp_path / "secret.jpg")
    (tmp_path / "outside").mkdir()
    jpeg(tmp_path / "outside" / "y.jpg")
    (root / "link.jpg").symlink_to(root / "a.jpg")
    (root / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "folder_in").symlink_to(root / "in")
    (root / "folder_out").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root / "loop")
    return root


TAKEN = [
    "a.jpg",
    "./a.jpg",
    "a b/ü.jpg",
    "in/deep/x.jpg",
    "in//deep/x.jpg",
    "./in/./deep/x.jpg",
    "folder_in/deep/x.jpg",
]
LEFT = [
    "link.jpg", "out.jpg", "folder_out/y.jpg", "../secret.jpg", "in/../a.jpg", "in/../../secret.jpg", "loop/x.jpg",
    "loop",
    "missing.jpg", "missing/x.jpg", "", ".", "..", "in/", "in", "a.jpg/", "a.jpg/x", "/a.jpg", "a.jpg\0", "in\0/x.jpg",
    "data:image/jpeg;base64,x", "http://example.org/a.jpg", "file://a.jpg", "in/data:x",
    "x" * 5000, "in/" * 2000 + "x.jpg",
]  # fmt: skip


@pytest.mark.parametrize("source", TAKEN)
def test_sound_files_are_found(root: Path, source: str) -> None:
    found = QuickProbe(MediaRoot(root)).probe(source)
    assert found is not None
    assert found == slow(root, source)


@pytest.mark.parametrize("source", LEFT)
def test_all_else_is_left_to_the_long_way(root: Path, source: str) -> None:
    quick = QuickProbe(MediaRoot(root))
    assert [quick.probe(source) for _ in range(2)] == [None, None]


def test_an_absolute_path_is_left_to_the_long_way(root: Path) -> None:
    assert QuickProbe(MediaRoot(root)).probe(str(root / "a.jpg")) is None


def test_files_outside_where_that_is_allowed(root: Path) -> None:
    quick = QuickProbe(MediaRoot(root, allow_outside=True))
    assert quick.probe("folder_out/y.jpg") == slow(root, "folder_out/y.jpg", allow_outside=True) is not None
    assert quick.probe("../secret.jpg") is None


def test_what_is_no_regular_file_is_never_waited_for(root: Path) -> None:
    os.mkfifo(root / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(root)  # names of sockets are short
        try:
            listening.bind("socket.jpg")
        finally:
            os.chdir(here)
        quick = QuickProbe(MediaRoot(root))
        assert [quick.probe(name) for name in ("fifo.jpg", "socket.jpg", "in")] == [None] * 3


def _count_open() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_no_descriptor_is_left_open(root: Path) -> None:
    (root / "cut.jpg").write_bytes((root / "a.jpg").read_bytes()[:-9])
    quick = QuickProbe(MediaRoot(root))
    before = _count_open()
    for source in (*TAKEN, *LEFT, "cut.jpg"):
        quick.probe(source)
    after = _count_open()
    assert after == before


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut header": lambda data: data[:100],
    "cut end": lambda data: data[:-20],
    "text behind": lambda data: data + b"more",
    "pointer": lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "zero width": lambda data: _resized(data, 0, 48),
    "bomb": lambda data: _resized(data, 65500, 65500),
    "deep": lambda data: data.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
}


def _resized(data: bytes, width: int, height: int) -> bytes:
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("is_warm", [False, True])
def test_damaged_files_are_left_to_the_long_way(root: Path, damage: str, is_warm: bool) -> None:
    (root / "b.jpg").write_bytes(DAMAGES[damage]((root / "a.jpg").read_bytes()))
    quick = QuickProbe(MediaRoot(root))
    if is_warm:
        assert quick.probe("a.jpg") is not None
    assert quick.probe("b.jpg") is None


def test_formats_and_orientation_are_those_of_the_long_way(root: Path) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    jpeg(root / "turned.jpg", exif=exif)
    jpeg(root / "small.jpg", (40, 41))
    jpeg(root / "fine.jpg", (40, 42), quality=98, optimize=True)
    jpeg(root / "steps.jpg", (40, 43), progressive=True)
    for name in ("a.png", "a.gif", "a.webp", "a.bmp"):
        Image.new("RGB", (31, 17), "red").save(root / name)
    quick = QuickProbe(MediaRoot(root))
    for _ in range(2):
        for name in ("a.jpg", "turned.jpg", "small.jpg", "fine.jpg", "steps.jpg", "a.png", "a.gif", "a.webp", "a.bmp"):
            assert quick.probe(name) == slow(root, name) is not None


def test_headers_that_are_never_alike_are_not_learnt_for_ever(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = []
    real = JpegLayout.of

    def count(header: ImageHeader, head: bytes) -> JpegLayout | None:
        learnt.append(header)
        return real(header, head)

    monkeypatch.setattr(JpegLayout, "of", count)
    quick = QuickProbe(MediaRoot(root))
    for number in range(quick_module._MOST_UNLIKE + 20):
        jpeg(root / "b.jpg", comment=f"number {number}")
        assert quick.probe("b.jpg") == slow(root, "b.jpg")
    assert len(learnt) == quick_module._MOST_UNLIKE


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_layout_says_what_the_parser_says(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = jpeg(tmp_path_factory.getbasetemp() / "layout.jpg", progressive=data.draw(st.booleans()))
    original = path.read_bytes()
    header = parse_header(Window(original[:4096], len(original)))
    assert header is not None
    layout = JpegLayout.of(header, original[:4096])
    assert layout is not None
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(0, 3))):
        changed[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    found = layout.match(bytes(changed[:4096]))
    assert found is None or found == parse_header(Window(bytes(changed[:4096]), len(changed)))
