"""Files of shards under a second name, or copied; what is taken over is what the manifest says."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from dataprep.errors import ShardError
from dataprep.rewriting import check_file, new_directory, open_source, take_over
from dataprep.shards.manifest import FileEntry
from tests.factories import make_shards


def refuse_links(number: int) -> Any:
    def link(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    return link


def test_a_file_gets_a_second_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    (tmp_path / "b").write_bytes(b"what a killed run left")
    take_over(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").samefile(tmp_path / "b")


def test_a_file_is_copied_to_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(5 << 20)
    (tmp_path / "a").write_bytes(data)
    monkeypatch.setattr(os, "link", refuse_links(errno.EXDEV))
    take_over(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == data
    assert not (tmp_path / "a").samefile(tmp_path / "b")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_another_failure_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"data")
    monkeypatch.setattr(os, "link", refuse_links(errno.ENOSPC))
    with pytest.raises(ShardError, match=r"cannot write .*b: No space left on device"):
        take_over(tmp_path / "a", tmp_path / "b")


def test_a_file_must_be_what_the_manifest_says(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    digest = "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"
    assert check_file(tmp_path, "a", FileEntry(bytes=4, sha256=digest)) == tmp_path / "a"
    for entry in (FileEntry(bytes=3, sha256=digest), FileEntry(bytes=4, sha256="0" * 64)):
        with pytest.raises(ShardError):
            check_file(tmp_path, "a", entry)


def test_shards_that_do_not_add_up_are_no_source(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "shards")
    assert open_source(path).directory == path
    ledger = path / "ledger.arrow"
    ledger.write_bytes(ledger.read_bytes().replace(b"rejected", b"REJECTED"))
    with pytest.raises(ShardError, match="not every row is accounted for"):
        open_source(path)


def test_a_folder_is_empty_of_old_shards_and_of_the_work(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / ".parts").mkdir(parents=True)
    for name in ("samples-00007.arrow", "media-00000.arrow.tmp"):
        (out / name).write_bytes(b"of a killed run")
    with new_directory(out, tmp_path / "source") as work:
        (work / "part").write_bytes(b"x")
        (out / "manifest.json").write_bytes(b"{}")
    assert [path.name for path in out.iterdir()] == ["manifest.json"]
