"""Conversion into a store of the S3 kind: the same bytes as on a disk, read back, and every refusal explained."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dataprep.assembly
import dataprep.blocks
from dataprep import convert, ledger, open_shards, verify
from dataprep.errors import ConfigError, ShardError, StorageError
from dataprep.media.cache import default_folder
from dataprep.shards.remote_folder import RUN_FILE, work_folder_of
from dataprep.shards.storage import RemotePath, to_place
from dataprep.shards.stories import why
from tests.dataprep.conversions import SKIP, make_options, text_row, write_rows
from tests.dataprep.store_server import Store, read_remote_files, running_store

_context = multiprocessing.get_context("spawn")
_numbers = iter(range(1_000))


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with running_store() as running:
        yield running


@pytest.fixture
def out(store: Store) -> RemotePath:
    """A new folder in a bucket of its own."""
    place = to_place(store.make_bucket(f"bucket{next(_numbers)}") + "/runs/a")
    assert isinstance(place, RemotePath)
    return place


def work_folder(out: RemotePath) -> Path:
    caches = default_folder()
    assert caches is not None
    return work_folder_of(out, caches.resolve() / "work")


@pytest.fixture
def rows(varied: Path) -> str:
    return str(varied / "rows.jsonl")


@pytest.mark.usefixtures("small_chunks_and_shards")
def test_a_store_gets_the_bytes_of_a_folder(rows: str, reference: dict[str, bytes], out: RemotePath) -> None:
    manifest = convert([rows], str(out), make_options(**SKIP))
    assert read_remote_files(out) == reference
    assert manifest == open_shards(str(out)).manifest
    assert not work_folder(out).exists()
    with pytest.raises(ConfigError, match=r"s3://bucket\d+/runs/a already holds complete shards"):
        convert([rows], str(out), make_options(**SKIP))


def test_shards_in_a_store_are_read_as_those_in_a_folder(rows: str, tmp_path: Path, out: RemotePath) -> None:
    for place in (out, tmp_path / "out"):
        convert([rows], place, make_options(**SKIP))
    here, there = open_shards(tmp_path / "out"), open_shards(str(out), check=True)
    assert len(here) == len(there) > 0
    for mine, theirs in zip(here, there, strict=True):
        assert np.array_equal(mine.input_ids, theirs.input_ids)
        assert np.array_equal(mine.labels, theirs.labels)
        for name in ("images", "prompt", "response", "boxes", "source_file", "source_line", "row_hash", "split"):
            assert getattr(mine, name) == getattr(theirs, name), name
    for number in range(here.num_media):
        assert here.media(number) == there.media(number)
        assert here.read_media(here.media(number)) == there.read_media(there.media(number))
    assert np.array_equal(here.column("tiles"), there.column("tiles"))
    report = verify(str(out))
    assert report.ok, report.problems
    assert report == verify(tmp_path / "out")
    assert ledger(str(out)) == ledger(tmp_path / "out")
    assert why(str(out), "rows.jsonl:1")[0].sample is not None
    assert why(str(out), "rows.jsonl:10")[0].findings


def test_a_changed_or_missing_file_is_found_in_a_store(rows: str, out: RemotePath) -> None:
    convert([rows], out, make_options(**SKIP))
    samples = out / "samples-00000.arrow"
    content = bytearray(samples.read_bytes())
    content[1000] ^= 1
    with samples.writing() as file:
        file.write(content)
    assert any("samples-00000.arrow: sha256" in problem for problem in verify(str(out)).problems)
    samples.unlink()
    assert any("samples-00000.arrow: No such file" in problem for problem in verify(str(out)).problems)
    with pytest.raises(ShardError, match="No such file"):
        open_shards(str(out))
    with pytest.raises(ShardError, match=r"s3://bucket\d+/runs/none: no such directory"):
        open_shards(str(out.with_name("x")).replace("/a/x", "/none"))


def convert_elsewhere(source: str, out: RemotePath, jobs: int) -> None:
    """Convert in a process that is there to be killed."""
    dataprep.blocks.CHUNK_ROWS, dataprep.assembly.SHARD_BYTES = 4, 1500
    convert([source], out, make_options(**SKIP, jobs=jobs))


def run_until(source: str, out: RemotePath, *, jobs: int, is_reached: Callable[[set[str]], bool]) -> None:
    """Convert in another process and kill it when the names in the output folder are those asked for."""
    process = _context.Process(target=convert_elsewhere, args=(source, out, jobs))
    process.start()
    try:
        for _ in range(6_000):
            if is_reached({path.name for path in out.iterdir()}):
                break
            assert process.is_alive(), "it ended before it was killed"
            time.sleep(0.005)
    finally:
        process.kill()
        process.join()


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    "moment", [lambda names: RUN_FILE in names, lambda names: "media-00001.arrow" in names,
               lambda names: "samples-00001.arrow" in names]
)  # fmt: skip
def test_a_killed_run_continues_to_the_same_bytes(
    rows: str, reference: dict[str, bytes], out: RemotePath, moment: Callable[[set[str]], bool], jobs: int
) -> None:
    run_until(rows, out, jobs=jobs, is_reached=moment)
    names = {path.name for path in out.iterdir()}
    assert RUN_FILE in names
    assert "manifest.json" not in names
    with pytest.raises(ShardError, match=r"no manifest\.json"):
        open_shards(str(out))
    convert([rows], out, make_options(**SKIP, jobs=jobs))
    assert read_remote_files(out) == reference


@pytest.mark.usefixtures("small_chunks_and_shards")
def test_a_run_that_stopped_in_the_middle_continues(
    rows: str, reference: dict[str, bytes], out: RemotePath, store: Store
) -> None:
    bucket = str(out).split("/")[2]

    def lose(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("media shards", 2):
            store.deny(bucket, "s3:PutObject")

    with pytest.raises(StorageError, match=r"media-00002\.arrow cannot be written: the store denies access; check"):
        convert([rows], out, make_options(**SKIP), progress=lose)
    store.deny(bucket)
    assert {path.name for path in out.iterdir()} == {RUN_FILE, "media-00000.arrow", "media-00001.arrow"}
    assert any(work_folder(out).glob("part-*.json"))
    convert([rows], out, make_options(**SKIP))
    assert read_remote_files(out) == reference


def test_another_machine_is_refused_while_a_run_is_alive_and_may_go_on_when_it_stopped(
    tmp_path: Path, out: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1), text_row(2)])
    seen: list[str] = []

    def run_elsewhere(stage: str, done: int, total: int) -> None:
        if not seen:
            with pytest.raises(ConfigError, match=r"is being written by another run, on .*remove run\.json") as caught:
                convert([source], out, make_options(work_dir=tmp_path / "elsewhere"))
            seen.append(str(caught.value))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert([source], out, make_options(work_dir=tmp_path / "here"), progress=run_elsewhere)
    assert str(tmp_path / "here") in seen[0]
    assert json.loads((out / RUN_FILE).read_bytes())["is_running"] is False
    convert([source], out, make_options(work_dir=tmp_path / "elsewhere"))
    assert verify(str(out)).ok


def test_a_run_whose_folder_was_taken_writes_no_manifest(tmp_path: Path, out: RemotePath) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])

    def take(stage: str, done: int, total: int) -> None:
        if stage == "sample shards":
            with (out / RUN_FILE).writing() as file:
                file.write(json.dumps({"id": "other", "host": "b", "work_folder": "w", "is_running": True}).encode())

    with pytest.raises(ConfigError, match="is being written by another run, on b with its work folder w"):
        convert([source], out, make_options(), progress=take)
    assert not (out / "manifest.json").exists()
    assert json.loads((out / RUN_FILE).read_bytes())["id"] == "other"
    shutil.rmtree(work_folder(out))


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path, out: RemotePath) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    with (out / "thesis.txt").writing() as file:
        file.write(b"dear")
    with pytest.raises(ConfigError, match=r"holds something else, such as thesis\.txt; choose an empty or new folder"):
        convert([source], out, make_options())
    assert (out / "thesis.txt").read_bytes() == b"dear"


def test_options_that_do_not_fit_are_refused(tmp_path: Path, store: Store) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    with pytest.raises(StorageError, match=r"s3://nobody/x.*: there is no such bucket; create it"):
        convert([source], "s3://nobody/x", make_options())
    with pytest.raises(ConfigError, match="names no bucket; write it as s3://BUCKET/FOLDER"):
        convert([source], "s3://", make_options())
    with pytest.raises(ConfigError, match="ftp:// is no store that shards can lie in; there are abfs"):
        convert([source], "ftp://x/y", make_options())
    with pytest.raises(ConfigError, match="--work-dir is for an --out in a store"):
        convert([source], tmp_path / "out", make_options(work_dir=tmp_path))


def test_the_commands_take_a_uri(tmp_path: Path, out: RemotePath, call: Any) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1), text_row(2)])
    model = make_options().model
    code, stdout, stderr = call("convert", source, "--for", "internvl2-1b", "--model", model, "--out", out)
    assert code == 0, stderr
    assert f"Next: dataprep train {out} --model DIR" in stdout
    assert call("verify", out)[:2] == (0, "4 files checked: all is well\n")
    assert call("ledger", out)[1].startswith("2 rows in = 2 converted")
    assert call("diff", out, source)[0] == 0
    code, _, stderr = call("verify", "s3://nobody/x")
    assert code == 1


@pytest.mark.slow
def test_a_lost_connection_is_one_sentence(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1), text_row(2)])
    with running_store() as store:
        uri = store.make_bucket("lost") + "/a"

        def lose(stage: str, done: int, total: int) -> None:
            store.process.kill()
            store.process.wait()

        with pytest.raises(StorageError, match=r"s3://lost/a cannot be \w+: no connection to the store \(.*\); check"):
            convert([source], uri, make_options(), progress=lose)
        with pytest.raises(StorageError, match="cannot be read: no connection to the store"):
            verify(uri)


def test_a_secret_in_a_uri_is_not_shown() -> None:
    place = to_place("s3://key:secret@bucket/a/?endpoint_override=localhost:9000")
    assert isinstance(place, RemotePath)
    assert str(place / "manifest.json") == "s3://bucket/a/manifest.json"
    assert (place / "manifest.json").name == "manifest.json"
    assert str((place / "b").with_name("c")) == "s3://bucket/a/c"
    assert str(place) == "s3://bucket/a"
    assert str(to_place(Path("s3://bucket/a"))) == "s3://bucket/a"
    assert to_place("file:///tmp/a") == Path("/tmp/a")
