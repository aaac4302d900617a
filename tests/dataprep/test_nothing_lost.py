"""Disks that are full, workers that are killed, files that change: a clear error, and then the bytes of a quiet run."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dataprep.conversion
from dataprep import convert, open_shards, verify
from dataprep.errors import DataprepError, SourceError
from tests.dataprep.conversions import (
    SKIP,
    image_row,
    make_options,
    read_files,
    text_row,
    write_png,
    write_rows,
    write_varied,
)

REPO = Path(__file__).resolve().parent.parent.parent

# Runs where it may mount: fills a small disk, makes it larger, and goes on. Prints what it met.
FULL_DISK = """
import hashlib, json, subprocess, sys
from pathlib import Path
import dataprep.assembly, dataprep.blocks
from dataprep import convert
from dataprep.errors import ShardError
from tests.dataprep.conversions import SKIP, make_options, read_files

dataprep.blocks.CHUNK_ROWS, dataprep.assembly.SHARD_BYTES = 4, 1500
disk, source, jobs, sizes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]

def mount(options):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True).returncode:
        print(json.dumps({"cannot_mount": True}))
        sys.exit()

met = []
mount(f"size={sizes[0]}")
for number, size in enumerate(sizes):
    mount(f"remount,size={size}")
    try:
        convert([source], disk / "out", make_options(**SKIP, jobs=jobs))
    except ShardError as error:
        whole = (disk / "out" / "manifest.json").exists()
        met.append([str(error), whole, [str(path) for path in disk.rglob("*.tmp")]])
digests = {name: hashlib.sha256(data).hexdigest() for name, data in read_files(disk / "out").items()}
print(json.dumps({"met": met, "files": digests}))
"""


def on_small_disk(folder: Path, source: str, jobs: int, *sizes: str) -> dict[str, Any]:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare, to mount a small disk with")
    (folder / "disk").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}
    command = ["unshare", "-rm", sys.executable, "-c", FULL_DISK, folder / "disk", source, str(jobs), *sizes]
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode and "unshare" in done.stderr.splitlines()[0]:
        pytest.skip(f"this machine lets nobody mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "cannot_mount" in result:
        pytest.skip("this machine lets nobody mount a small disk")
    return result


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_disk_that_is_really_full(varied: Path, reference: dict[str, bytes], tmp_path: Path, jobs: int) -> None:
    result = on_small_disk(tmp_path, str(varied / "rows.jsonl"), jobs, "8k", "60k", "180k", "260k", "50m")
    assert len(result["met"]) >= 3, "the disk was never full"
    for message, is_whole, leftovers in result["met"]:
        if "are free at" in message:  # seen before the shards are written
            assert "free space there and run the command again, which continues" in message
        else:
            assert "No space left on device" in message
            assert "Free space on that disk or choose another output folder" in message
        assert not is_whole
        assert leftovers == []
    assert result["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in reference.items()}


FILE_LIMIT = """
import resource, sys
import dataprep.assembly, dataprep.blocks
from dataprep import convert
from tests.dataprep.conversions import SKIP, make_options

dataprep.blocks.CHUNK_ROWS, dataprep.assembly.SHARD_BYTES = 4, 1500
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
convert([sys.argv[1]], sys.argv[2], make_options(**SKIP))
"""


def test_files_that_may_not_grow(varied: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    """The same, as any user can bring it about: a limit of the size of files."""
    source, out = str(varied / "rows.jsonl"), tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-c", FILE_LIMIT, source, str(out), "9000"]
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False, timeout=120)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("dataprep.errors.ShardError: cannot write ")
    assert "File too large; nothing was left under that name" in last
    assert not (out / "manifest.json").exists()
    convert([source], out, make_options(**SKIP))
    assert read_files(out) == reference


@pytest.mark.parametrize("stage", ["rows", *(pytest.param(s, marks=pytest.mark.slow) for s in ("media", "samples"))])
def test_a_worker_killed_by_the_kernel(varied: Path, reference: dict[str, bytes], tmp_path: Path, stage: str) -> None:
    killed = []

    def kill(now: str, done: int, total: int) -> None:
        if now.replace(" shards", "").replace("sample", "samples") == stage and not killed:
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0] or 0, signal.SIGKILL)

    source, out = str(varied / "rows.jsonl"), tmp_path / "out"
    died = None
    try:
        convert([source], out, make_options(**SKIP, jobs=2), progress=kill)
    except DataprepError as error:
        died = str(error)
    assert killed
    assert died is not None
    assert re.search(r"a worker process died .*a conversion continues where it stopped", died)
    assert not (out / "manifest.json").exists()
    assert not verify(out).ok
    convert([source], out, make_options(**SKIP))
    assert read_files(out) == reference


@pytest.mark.usefixtures("small_chunks_and_shards")
@pytest.mark.parametrize("split", [None, "val=0.4"])
def test_a_source_edited_before_its_rows_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str | None
) -> None:
    """Splits are drawn in a pass of their own: the rows of the second pass must be those of the first."""
    source = Path(write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(9)]))
    draw = dataprep.conversion.draw

    def draw_and_edit(*arguments: Any) -> Any:
        drawn = draw(*arguments)
        source.write_text("".join(source.read_text().splitlines(keepends=True)[2:]))
        return drawn

    with monkeypatch.context() as patch:
        patch.setattr("dataprep.conversion.draw", draw_and_edit)
        with pytest.raises(SourceError, match=r"rows\.jsonl changed while it was read; run the command again"):
            convert([str(source)], tmp_path / "out", make_options(split=split))
    assert not (tmp_path / "out" / "manifest.json").exists()
    convert([str(source)], tmp_path / "out", make_options(split=split))
    convert([str(source)], tmp_path / "fresh", make_options(split=split))
    assert read_files(tmp_path / "out") == read_files(tmp_path / "fresh")


@pytest.mark.usefixtures("small_chunks_and_shards")
@pytest.mark.parametrize("media", ["embed", "link"])
@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_media_changed_during_a_run_that_is_stopped(tmp_path: Path, media: str, jobs: int) -> None:
    """What was planned of a picture that is another one now is planned anew."""

    class KilledError(Exception):
        pass

    def change_and_die(stage: str, done: int, total: int) -> None:
        if stage != "rows":
            write_png(tmp_path / "a.png", (9, 9, 9), (80, 20))
            raise KilledError

    write_png(tmp_path / "a.png", (1, 2, 3), (40, 40))
    rows = [text_row(number) for number in range(6)] + [image_row("a.png")] * 3
    source = write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(KilledError):
        convert([source], tmp_path / "out", make_options(media=media, jobs=jobs), progress=change_and_die)
    convert([source], tmp_path / "out", make_options(media=media, jobs=jobs))
    convert([source], tmp_path / "fresh", make_options(media=media))
    assert read_files(tmp_path / "out") == read_files(tmp_path / "fresh")
    shards = open_shards(tmp_path / "out")
    assert shards.read_media(shards.media(0)) == (tmp_path / "a.png").read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks_and_shards")
def test_a_folder_removed_under_two_workers(tmp_path: Path) -> None:
    source = write_varied(tmp_path / "data")

    def remove(stage: str, done: int, total: int) -> None:
        if stage == "rows":
            shutil.rmtree(tmp_path / "out", ignore_errors=True)

    with pytest.raises(DataprepError, match=r"cannot write .*No such file or directory"):
        convert([source], tmp_path / "out", make_options(**SKIP, jobs=2), progress=remove)
    assert not (tmp_path / "out" / "manifest.json").exists()
