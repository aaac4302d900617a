"""Reading: by number, from anywhere, without heavy packages; damage is an error that names the file."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataprep.errors import ShardError, ShardFormatError, ShardHashError, ShardVersionError
from dataprep.shards.arrow_file import check_hash
from dataprep.shards.format import SAMPLES_BATCH_ROWS, content_hash
from dataprep.shards.reader import Media, Sample, SampleBox, SampleImage, open_shards
from dataprep.shards.verify import verify
from tests.factories import default_samples, make_media, make_sample, make_shards, reseal, write_nulls


def assert_same_sample(actual: Sample, expected: Sample) -> None:
    assert np.array_equal(actual.input_ids, expected.input_ids)
    assert np.array_equal(actual.labels, expected.labels)
    for name in ("images", "prompt", "response", "source_file", "source_line", "row_hash", "split"):
        assert getattr(actual, name) == getattr(expected, name), name
    assert [replace(box, x1=0, y1=0, x2=0, y2=0) for box in actual.boxes] == [
        replace(box, x1=0, y1=0, x2=0, y2=0) for box in expected.boxes
    ]
    corners = [[[box.x1, box.y1, box.x2, box.y2] for box in sample.boxes] for sample in (actual, expected)]
    assert np.array_equal(np.float32(corners[0]), np.float32(corners[1]))


def test_samples_come_back_by_number_and_in_order(tmp_path: Path) -> None:
    shards = open_shards(make_shards(tmp_path / "s"), check=True)
    assert len(shards) == 6
    for row, (sample, expected) in enumerate(zip(shards, default_samples(), strict=True)):
        assert sample.row == row
        assert_same_sample(sample, expected)
        assert_same_sample(shards[np.int64(row)], expected)


@pytest.mark.parametrize("row", [-1, 6])
def test_there_is_no_row_outside(tmp_path: Path, row: int) -> None:
    with pytest.raises(IndexError):
        open_shards(make_shards(tmp_path / "s"))[row]


def test_arrays_are_read_only_int32_views(tmp_path: Path) -> None:
    sample = open_shards(make_shards(tmp_path / "s"))[1]
    for array in (sample.input_ids, sample.labels):
        assert array.dtype == np.int32
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_rows_of_a_split(tmp_path: Path) -> None:
    shards = open_shards(make_shards(tmp_path / "s"))
    assert shards.rows().tolist() == [0, 1, 2, 3, 4, 5]
    assert shards.rows("train").tolist() == [0, 1, 2, 3]
    assert shards.rows("val").tolist() == [4, 5]
    with pytest.raises(ShardError, match="no split 'test'; its splits: train, val"):
        shards.rows("test")


def test_columns_are_one_number_per_row(tmp_path: Path) -> None:
    shards = open_shards(make_shards(tmp_path / "s"))
    samples = default_samples()
    assert shards.column("length").tolist() == [len(sample.input_ids) for sample in samples]
    assert shards.column("num_trained_tokens").tolist() == [int((s.labels != -100).sum()) for s in samples]
    assert shards.column("tiles").tolist() == [sum(image.tiles for image in s.images) for s in samples]
    assert shards.column("source_line").dtype == np.int64
    with pytest.raises(ShardError, match="no column of numbers 'prompt'"):
        shards.column("prompt")


def test_rows_beyond_the_first_batch_and_shard(tmp_path: Path) -> None:
    count = 2 * SAMPLES_BATCH_ROWS + 5
    samples = [make_sample(line, text_tokens=2 + line % 5) for line in range(1, count + 1)]
    shards = open_shards(make_shards(tmp_path / "s", samples, rows_per_shard=SAMPLES_BATCH_ROWS + 3))
    for row in (0, 511, 512, 514, 515, 1026, 1027, count - 1):
        assert shards[row].source_line == row + 1
    assert shards.column("length").tolist() == [len(sample.input_ids) for sample in samples]


def test_empty_shards_have_no_rows(tmp_path: Path) -> None:
    shards = open_shards(make_shards(tmp_path / "s", [], []), check=True)
    assert len(shards) == shards.num_media == len(shards.column("tiles")) == len(shards.rows()) == 0


def test_embedded_media_come_back(tmp_path: Path) -> None:
    media = [make_media((i, 0, 0)) for i in range(40)]
    shards = open_shards(make_shards(tmp_path / "s", media=media))
    assert shards.num_media == 40
    assert [shards.media(i) for i in range(40)] == media
    assert shards.read_media(shards.media(39)) == media[39].bytes
    with pytest.raises(IndexError):
        shards.media(40)
    with pytest.raises(ShardError, match="has no file"):
        shards.media_path(media[0])


def linked(path: Path, form: str = "png") -> Media:
    status = path.stat()
    return Media(None, None, path.name, status.st_size, status.st_mtime_ns, form, 40, 30)


def test_linked_media_are_read_where_they_lie(tmp_path: Path) -> None:
    data = make_media().bytes
    assert data is not None
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "a.png").write_bytes(data)
    medium = linked(folder / "a.png")
    shards = open_shards(make_shards(folder, media=[medium, medium]))
    assert shards.media(1) == medium
    assert shards.read_media(shards.media(0)) == data
    os.utime(folder / "a.png", ns=(1, 1))
    with pytest.raises(ShardError, match=r"a.png changed since conversion: 101 bytes, modified at 1 ns"):
        shards.read_media(medium)
    (folder / "a.png").unlink()
    with pytest.raises(ShardError, match=r"a.png: No such file or directory; restore it, or pass media_root"):
        shards.read_media(medium)


def test_linked_media_may_move_to_another_root(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "clip.mp4").write_bytes(b"video")
    medium = linked(tmp_path / "m" / "clip.mp4", "mp4")
    shards = open_shards(make_shards(tmp_path / "s", media=[medium, medium]), media_root=tmp_path / "m")
    assert shards.media_path(medium) == tmp_path / "m" / "clip.mp4"
    with pytest.raises(ShardError, match="is a video, not an image"):
        shards.read_media(medium)


def test_shards_pickle_small_and_open_again(tmp_path: Path) -> None:
    shards = open_shards(make_shards(tmp_path / "s"))
    before = shards[3]
    shards.media(0)
    data = pickle.dumps(shards)
    assert len(data) < 10_000
    copy = pickle.loads(data)
    assert_same_sample(copy[3], before)
    assert copy.media(0) == shards.media(0)


def test_threads_may_share_the_shards(tmp_path: Path) -> None:
    samples = [make_sample(line) for line in range(1, 2001)]
    shards = open_shards(make_shards(tmp_path / "s", samples, rows_per_shard=300))
    wrong: list[int] = []

    def read() -> None:
        wrong.extend(row for row in range(2000) if shards[row].source_line != row + 1)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_old_batches_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.shards.reader._CACHED_BATCHES", 1)
    shards = open_shards(make_shards(tmp_path / "s"))
    assert [shards[row].row for row in (0, 5, 0, 5)] == [0, 5, 0, 5]
    assert len(shards._sample_views._kept) == 1


def test_reading_needs_pyarrow_and_numpy_only(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    code = (
        "import sys\n"
        "from dataprep.shards.reader import open_shards\n"
        f"shards = open_shards({str(path)!r}, check=True)\n"
        "shards[2], shards.column('tiles'), shards.read_media(shards.media(0))\n"
        "heavy = {'polars', 'jsonschema', 'torch', 'transformers', 'PIL', 'pandas', 'tokenizers', 'msgspec'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=60)


def test_a_missing_directory_or_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ShardFormatError, match="no such directory"):
        open_shards(tmp_path / "nowhere")
    with pytest.raises(ShardFormatError, match="conversion did not finish; run 'dataprep convert' again"):
        open_shards(tmp_path)


def test_a_missing_or_shortened_file_is_refused_at_once(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    file = path / "samples-00001.arrow"
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    with pytest.raises(ShardFormatError, match=r"samples-00001.arrow: \S+ bytes, the manifest says"):
        open_shards(path)
    file.unlink()
    with pytest.raises(ShardFormatError, match=r"samples-00001.arrow: No such file"):
        open_shards(path)


def test_a_changed_bit_is_found_on_request(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    flip_bit(path / "media-00000.arrow", 8000)
    open_shards(path)
    with pytest.raises(ShardHashError, match=r"media-00000.arrow: sha256"):
        open_shards(path, check=True)


def flip_bit(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)


def read_all(path: Path) -> None:
    shards = open_shards(path)
    assert len([shards[row] for row in range(len(shards))]) == 6
    assert len([shards.media(number) for number in range(shards.num_media)]) == 2
    shards.column("tiles")


@pytest.mark.parametrize("name", ["samples-00000.arrow", "media-00000.arrow"])
def test_damage_never_surfaces_as_an_arrow_error(tmp_path: Path, name: str) -> None:
    path = make_shards(tmp_path / "s")
    sound = (path / name).read_bytes()
    errors = []
    for bit in np.random.default_rng(0).integers(0, len(sound) * 8, 300).tolist():
        flip_bit(path / name, bit)
        try:
            read_all(path)
        except ShardError as error:
            errors.append(str(error))
        (path / name).write_bytes(sound)
    assert len(errors) > 20
    assert all(name in error for error in errors)


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0", b"x" * 3000])
def test_a_file_that_is_no_arrow_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = make_shards(tmp_path / "s")
    shards = open_shards(path)
    (path / "samples-00000.arrow").write_bytes(content)
    with pytest.raises(ShardFormatError, match=r"samples-00000.arrow: not a shard of this format or damaged"):
        shards[0]
    with pytest.raises(ShardFormatError):
        shards.column("length")


def test_an_arrow_file_with_other_columns_or_rows_is_refused(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    file = path / "samples-00000.arrow"
    shards = open_shards(path)
    table = pa.ipc.open_file(file).read_all()
    for other in (table.drop_columns(["split"]), table.slice(0, 2), pa.concat_tables([table, table])):
        with pa.ipc.new_file(str(tmp_path / "other"), other.schema) as writer:
            writer.write_table(other)
        (tmp_path / "other").replace(file)
        with pytest.raises(ShardFormatError):
            pickle.loads(pickle.dumps(shards))[0]


def test_text_that_is_not_utf8_and_nulls_are_damage(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s")
    for name, text in (("media-00000.arrow", b"a.png"), ("samples-00001.arrow", b"question")):
        data = (path / name).read_bytes()
        (path / name).write_bytes(data.replace(text, b"\xff" + text[1:], 1))
    write_nulls(path / "samples-00000.arrow")
    reseal(path, "samples-00000.arrow")
    shards = open_shards(path)
    for read in (lambda: shards.media(0), lambda: shards[3], lambda: shards[0], lambda: shards.column("length")):
        with pytest.raises(ShardFormatError, match="not a shard of this format or damaged"):
            read()


def test_media_that_cannot_be_read_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"data")
    medium = linked(tmp_path / "a.png")
    shards = open_shards(make_shards(tmp_path / "s", media=[medium, medium]), media_root=tmp_path)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ShardError, match=r"a\.png: Permission denied; restore it"):
        shards.read_media(medium)
    monkeypatch.undo()
    embedded = open_shards(make_shards(tmp_path / "e"))
    with pytest.raises(ShardFormatError, match="embedded media without bytes"):
        embedded.read_media(medium)


def test_a_file_that_vanishes_while_it_is_hashed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ShardFormatError, match="No such file"):
        check_hash(tmp_path / "gone", "")


GOLDEN = Path(__file__).parent / "golden_v1"


def test_shards_of_version_1_are_read_for_ever() -> None:
    shards = open_shards(GOLDEN, check=True)
    assert shards.manifest.checksum == json.loads((GOLDEN / "manifest.json").read_text())["checksum"]
    assert [sample.source_line for sample in shards] == [1, 2, 3, 4, 5, 6]
    sample = shards[2]
    assert sample.input_ids.tolist() == [9, 9, 9, 9, 9, 9, 9, 9, 13, 14, 15, 16, 17, 18]
    assert sample.labels.tolist() == [-100] * 11 + [16, 17, 18]
    assert sample.images[0] == SampleImage(1, 40, 30, 1, 1, 1, "image", -1, -1)
    assert sample.boxes == (SampleBox("cat", 0.25, 0.5, 0.75, 1.0, 0),)
    assert (sample.prompt, sample.response, sample.split) == ("question 3", "answer 3 \u00e9", "train")
    assert shards.media(1).hash == content_hash(shards.read_media(shards.media(1)))
    assert verify(GOLDEN).problems == ()


def test_another_version_is_named_with_those_that_are_read(tmp_path: Path) -> None:
    path = make_shards(tmp_path / "s", changes={"format_version": 7})
    with pytest.raises(ShardVersionError, match="format version 7, this release reads 1; upgrade dataprep"):
        open_shards(path)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INT32 = st.integers(-(2**31), 2**31 - 1)
FLOAT32 = st.floats(0, 1, width=32)
IMAGES = st.builds(
    SampleImage,
    media=st.integers(0, 2**62),
    width=INT32,
    height=INT32,
    columns=st.integers(0, 99),
    rows=st.integers(0, 99),
    tiles=st.integers(0, 99),
    kind=st.sampled_from(["image", "frame"]),
    video=st.integers(-1, 9),
    frame_index=st.integers(-1, 99),
)
BOXES = st.builds(SampleBox, TEXT, FLOAT32, FLOAT32, FLOAT32, FLOAT32, st.integers(0, 3))
_LINES = itertools.count(1)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    ids = draw(st.lists(INT32, max_size=12))
    return Sample(
        input_ids=np.array(ids, dtype=np.int32),
        labels=np.array([draw(st.sampled_from([-100, number])) for number in ids], dtype=np.int32),
        images=tuple(draw(st.lists(IMAGES, max_size=3))),
        prompt=draw(TEXT),
        response=draw(TEXT),
        boxes=tuple(draw(st.lists(BOXES, max_size=3))),
        source_file=draw(TEXT),
        source_line=draw(st.integers(1, 2**60)),
        row_hash=draw(st.binary(min_size=16, max_size=16)),
        split="train",
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(samples(), max_size=8), st.integers(1, 4))
def test_any_sample_comes_back_as_it_was(tmp_path: Path, rows: list[Sample], rows_per_shard: int) -> None:
    path = make_shards(tmp_path / str(next(_LINES)), rows, rows_per_shard=rows_per_shard)
    shards = open_shards(path, check=True)
    assert len(shards) == len(rows)
    for actual, expected in zip(shards, rows, strict=True):
        assert_same_sample(actual, expected)
