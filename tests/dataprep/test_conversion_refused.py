"""What a conversion refuses: too many bad rows, folders and files in the way, full disks, sources that change."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert, open_shards, verify
from dataprep.conversion import BadRowsError, _refuse_bad_rows
from dataprep.errors import ConfigError, ShardError, SourceError
from dataprep.parts import Part
from dataprep.shards.atomic import HashingFile
from tests.dataprep.conversions import (
    GOLDENS,
    SKIP,
    image_row,
    make_options,
    read_files,
    text_row,
    write_half_bad,
    write_png,
    write_rows,
)

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")


# Bad rows


def test_bad_rows_end_the_run_with_reasons_and_a_way_on(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path)
    with (tmp_path / "rows.jsonl").open("a") as stream:
        stream.write("no json\n")
    with pytest.raises(BadRowsError) as caught:
        convert([source], tmp_path / "out", make_options())
    error = caught.value
    assert (error.num_rows, error.num_rejected) == (11, 4)
    assert {code: count for code, (count, _) in error.reasons.items()} == {"M301": 3, "P001": 1}
    assert error.reasons["M301"][1].startswith(f"{source}:1: ")
    assert str(error).startswith("4 of 11 rows are bad (36.4%); mend them, or accept the loss with: --on-bad skip")
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert error.accepting_options == "--on-bad skip --max-bad-ratio 0.3637"
    skipped = convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=0.3637))
    assert (skipped.ledger.converted, skipped.ledger.rejected) == (7, 4)
    fresh = convert([source], tmp_path / "fresh", make_options(on_bad="skip", max_bad_ratio=1.0))
    assert read_files(tmp_path / "out") == read_files(tmp_path / "fresh")
    assert fresh == skipped


def test_more_bad_rows_than_accepted_end_the_run(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path)
    for ratio in (0.0, 0.05, 0.2999):
        with pytest.raises(BadRowsError, match=f"more than --max-bad-ratio {ratio:g} accepts"):
            convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=ratio))
    assert convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=0.3)).ledger.rejected == 3


def test_the_options_that_are_offered_do_accept(tmp_path: Path) -> None:
    def make_part(num_rows: int, num_rejected: int) -> Part:
        return Part("p", "s", num_rows, num_rejected, {}, {"P001": (num_rejected, "s:1: no")}, {}, [], [])

    for num_rows in range(1, 130):
        for num_rejected in range(1, num_rows + 1):
            part = make_part(num_rows, num_rejected)
            for given in (0.0, 0.05):
                ratio = given
                error = BadRowsError(num_rows, num_rejected, {}, "error", given)
                words = error.accepting_options.split()
                if len(words) > 2:
                    assert words[2] == "--max-bad-ratio"
                    ratio = float(words[3])
                _refuse_bad_rows([part], make_options(on_bad="skip", max_bad_ratio=ratio))


def test_warnings_reject_no_row(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    row = {"query": "What is it?", "response": "Red.", "images": ["a.png", "a.png"]}
    source = write_rows(tmp_path / "rows.jsonl", [row | {"query": "<image>And?"}])
    ledger = convert([source], tmp_path / "out", make_options()).ledger
    assert (ledger.converted, ledger.by_code) == (1, {"L604": 1, "T202": 1})


def test_mended_media_are_taken_up_by_the_next_run(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path)
    with pytest.raises(BadRowsError):
        convert([source], tmp_path / "out", make_options())
    write_png(tmp_path / "gone.png", (1, 2, 3))
    assert convert([source], tmp_path / "out", make_options()).ledger.converted == 10


# Folders, files and disks


def test_an_output_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path, 0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("dear")
    with pytest.raises(ConfigError, match="out holds something else; choose an empty or new folder for --out"):
        convert([source], tmp_path / "out", make_options())
    assert read_files(tmp_path / "out") == {"thesis.txt": b"dear"}


def test_complete_shards_are_left_alone(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path, 0)
    convert([source], tmp_path / "out", make_options())
    before = read_files(tmp_path / "out")
    with pytest.raises(ConfigError, match="already holds complete shards"):
        convert([source], tmp_path / "out", make_options(max_length=77))
    assert read_files(tmp_path / "out") == before


def test_an_empty_output_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert convert([write_half_bad(tmp_path, 0)], tmp_path / "out", make_options()).ledger.converted == 10


@pytest.mark.parametrize("name", ["file", "file/inside", "n" * 300])
def test_an_output_folder_that_cannot_be_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="cannot be used for output"):
        convert([write_half_bad(tmp_path, 0)], tmp_path / name, make_options())
    assert (tmp_path / "file").read_text() == "x"


def test_a_folder_without_permission_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *arguments: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ConfigError, match=r"cannot be used for output \(Permission denied\); choose another --out"):
        convert([str(GOLDENS / "datasets" / "seed_text.jsonl")], tmp_path / "out", make_options())


@pytest.mark.parametrize("number", [1, 12, 40, 60])
def test_a_full_disk_leaves_nothing_that_looks_whole(
    varied: Path, reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write, calls = HashingFile.write, iter(range(1, number))

    def write_until_full(self: HashingFile, data: bytes) -> int:
        if next(calls, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    arguments = [str(varied / "rows.jsonl")], tmp_path / "out", make_options(**SKIP)
    with monkeypatch.context() as patch:
        patch.setattr(HashingFile, "write", write_until_full)
        with pytest.raises(ShardError, match=r"No space left on device.*[Ff]ree space on that disk"):
            convert(*arguments)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not list((tmp_path / "out").rglob("*.tmp"))
    convert(*arguments)
    assert read_files(tmp_path / "out") == reference


def test_a_source_edited_during_the_run_is_an_error(tmp_path: Path) -> None:
    source = write_half_bad(tmp_path, 0)

    def edit(stage: str, done: int, total: int) -> None:
        with Path(source).open("a") as stream:
            stream.write(json.dumps(text_row(77)) + "\n")

    with pytest.raises(SourceError, match=r"rows\.jsonl changed while it was read; run the command again"):
        convert([source], tmp_path / "out", make_options(), progress=edit)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert convert([source], tmp_path / "out", make_options()).ledger.rows_in > 10


@pytest.mark.parametrize("change", ["edited", "removed"])
def test_media_changed_between_the_stages_are_an_error(tmp_path: Path, change: str) -> None:
    image = write_png(tmp_path / "a.png", (1, 2, 3))
    source = write_rows(tmp_path / "rows.jsonl", [image_row("a.png")])

    def disturb(stage: str, done: int, total: int) -> None:
        if change == "removed":
            image.unlink()
        elif stage == "rows":
            write_png(image, (3, 2, 1))

    message = "changed during the conversion" if change == "edited" else "cannot be read any more"
    with pytest.raises(SourceError, match=rf"a\.png.* {message}.*leave media alone"):
        convert([source], tmp_path / "out", make_options(), progress=disturb)
    assert not (tmp_path / "out" / "manifest.json").exists()
    if change == "removed":
        write_png(image, (5, 5, 5), (7, 9))
    convert([source], tmp_path / "out", make_options())
    shards = open_shards(tmp_path / "out")
    assert shards.read_media(shards.media(0)) == image.read_bytes()
    assert (shards[0].images[0].width, shards[0].images[0].height) == ((24, 24) if change == "edited" else (7, 9))


@pytest.mark.parametrize("rows", [[], ["", "   "]])
def test_empty_input_is_an_error(tmp_path: Path, rows: list[Any]) -> None:
    source = write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(ConfigError, match="the data files hold no rows at all; check the paths"):
        convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=1.0))
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_one_empty_file_among_others_is_fine(tmp_path: Path) -> None:
    paths = [write_rows(tmp_path / "a.jsonl", []), write_rows(tmp_path / "b.jsonl", [text_row(1)])]
    manifest = convert(paths, tmp_path / "out", make_options())
    assert [source.rows for source in manifest.sources] == [0, 1]
    assert verify(tmp_path / "out").problems == ()


def test_standard_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="standard input cannot be converted"):
        convert(["-"], tmp_path / "out", make_options())


def test_compressed_sources_give_the_same_samples(tmp_path: Path) -> None:
    import gzip

    source = write_half_bad(tmp_path, 0)
    packed = tmp_path / "packed" / "rows.jsonl.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(Path(source).read_bytes()))
    for path, out in ((source, "a"), (str(packed), "b")):
        convert([path], tmp_path / out, make_options())
    plain, unpacked = list(open_shards(tmp_path / "a")), list(open_shards(tmp_path / "b"))
    assert [s.input_ids.tolist() for s in plain] == [s.input_ids.tolist() for s in unpacked]
    assert verify(tmp_path / "b").ok
