"""What can stand behind a path, and what foreign bytes are called."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dataprep.errors import MediaError
from dataprep.media.files import describe_foreign_bytes, open_regular_file


def reason_of(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        open_regular_file(path)
    return caught.value.reason


def test_regular_files_open_with_their_size(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"123")
    descriptor, size = open_regular_file(path)
    os.close(descriptor)
    assert size == 3


def test_everything_else_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)  # The path of a socket must be short.
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert reason_of(tmp_path / "socket") == "unreadable"
    assert reason_of(tmp_path / "none") == "missing"
    assert reason_of(tmp_path / "empty" / "below") == "missing"
    assert reason_of(tmp_path) == "is-directory"
    assert reason_of(tmp_path / "fifo") == "not-a-regular-file"
    assert reason_of(Path("/dev/null")) == "not-a-regular-file"
    assert reason_of(tmp_path / "empty") == "empty"


@pytest.mark.parametrize(
    ("head", "reason", "word"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "lfs-pointer", "git lfs pull"),
        (b"\xef\xbb\xbf  <HTML>", "not-an-image", "HTML"),
        (b"\x00\x00\x00\x18ftypheic", "unsupported-format", "heic"),
        (b"\x00\x00\x00\x18ftypmp42", "not-an-image", "videos"),
        (b'{"error": 404}', "not-an-image", "text"),
        (b"\x00\x01\x02\x03", "not-an-image", "00 01 02 03"),
    ],
)
def test_foreign_bytes(head: bytes, reason: str, word: str) -> None:
    found, detail = describe_foreign_bytes(head)
    assert found == reason
    assert word in detail
