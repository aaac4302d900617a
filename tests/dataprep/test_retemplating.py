"""Retemplated shards are those of a conversion for the other model, byte for byte; no media file is opened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert, ledger, open_shards, verify
from dataprep.conversion import BadRowsError
from dataprep.errors import ConfigError, ShardError, SourceError
from dataprep.retemplating import RetemplateConfig, retemplate
from tests.dataprep.conversions import (
    GOLDENS,
    SKIP,
    image_row,
    make_options,
    read_files,
    read_ledger,
    read_rejects,
    text_row,
    write_png,
    write_rows,
    write_varied,
)

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")


def for_model(**changes: Any) -> RetemplateConfig:
    """Options for the Phi-3 model type and the other tokenizer, with changes."""
    return RetemplateConfig(**({"model_type": "internvl2-4b", "model": GOLDENS / "tokenizer_bos"} | changes))


def fresh(source: Path, out: Path, **changes: Any) -> dict[str, bytes]:
    """Files of a conversion for that model."""
    options = {"model_type": "internvl2-4b", "model": GOLDENS / "tokenizer_bos", **SKIP} | changes
    convert([str(source / "rows.jsonl")], out, make_options(**options))
    return read_files(out)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows and media of all kinds."""
    folder = tmp_path_factory.mktemp("varied")
    write_varied(folder)
    return folder


@pytest.fixture
def shards(folder: Path, small_chunks_and_shards: None) -> Path:
    """Shards of these rows; the tests leave them as they are."""
    out = folder / "shards"
    if not out.exists():
        convert([str(folder / "rows.jsonl")], out, make_options(**SKIP))
    return out


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("media", ["embed", "link"])
def test_the_files_are_those_of_a_conversion(folder: Path, tmp_path: Path, media: str, jobs: int) -> None:
    convert([str(folder / "rows.jsonl")], tmp_path / "a", make_options(**SKIP, media=media))
    retemplate(tmp_path / "a", tmp_path / "b", for_model(jobs=jobs))
    assert read_files(tmp_path / "b") == fresh(folder, tmp_path / "c", media=media)
    assert verify(tmp_path / "b").problems == ()
    assert ledger(tmp_path / "b").ok
    for entry in open_shards(tmp_path / "b").manifest.media_shards:
        assert (tmp_path / "a" / entry.file).samefile(tmp_path / "b" / entry.file)


@pytest.mark.parametrize(
    "options",
    [
        {"box_style": "internvl", "max_num": 3},
        {"system": "Be brief.", "loss_mask": "last-answer"},
        {"system": "", "max_length": 9000},
        {"model_type": "internvl2-8b"},
        {"model": GOLDENS / "tokenizer_nobos"},
    ],
    ids=str,
)
def test_every_option_has_its_place(shards: Path, folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    retemplate(shards, tmp_path / "b", for_model(**options))
    assert read_files(tmp_path / "b") == fresh(folder, tmp_path / "c", **options)


def test_what_is_not_given_stays_as_it_was(folder: Path, tmp_path: Path) -> None:
    kept = {"max_num": 2, "system": "Hm.", "max_length": 3000, "box_style": "internvl", "video_frames": 3}
    kept |= {"exif": "apply", "special_text": "keep", "missing_image_tag": "first", "loss_mask": "last-answer"}
    convert([str(folder / "rows.jsonl")], tmp_path / "a", make_options(**SKIP, **kept))
    retemplate(tmp_path / "a", tmp_path / "b", RetemplateConfig(model=GOLDENS / "tokenizer_bos"))
    assert read_files(tmp_path / "b") == fresh(folder, tmp_path / "c", model_type="internvl2-1b", **kept)


def test_the_golden_rows_of_all_kinds(tmp_path: Path, real_chunks: None) -> None:
    lines = (GOLDENS / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    source = write_rows(tmp_path / "rows.jsonl", [json.loads(line)["row"] for line in lines])
    options = SKIP | {"media_root": GOLDENS, "max_length": 100_000}
    convert([source], tmp_path / "a", make_options(**options))
    retemplate(tmp_path / "a", tmp_path / "b", for_model())
    expected = fresh(tmp_path, tmp_path / "c", **options)
    assert read_files(tmp_path / "b") == expected
    assert open_shards(tmp_path / "b").manifest.ledger.converted > 80


def test_media_are_not_looked_at(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "moved", ignore=shutil.ignore_patterns("shards"))
    convert([str(moved / "rows.jsonl")], tmp_path / "a", make_options(**SKIP))
    expected = fresh(moved, tmp_path / "c")
    for path in (*moved.glob("*.png"), *moved.glob("*.mp4")):
        path.unlink()
    retemplate(tmp_path / "a", tmp_path / "b", for_model())
    assert read_files(tmp_path / "b") == expected


def test_joined_paths_are_taken_apart_as_before(tmp_path: Path) -> None:
    for name in ("a", "b", "c,d"):
        write_png(tmp_path / f"{name}.png", (1, 2, 3), (20 + len(name), 40))
    rows = [image_row("a.png") | {"images": "a.png, b.png", "query": "Both?"}]
    rows += [image_row("c,d.png") | {"images": "c,d.png", "query": "One?"}]
    write_rows(tmp_path / "rows.jsonl", rows)
    convert([str(tmp_path / "rows.jsonl")], tmp_path / "a", make_options(**SKIP))
    retemplate(tmp_path / "a", tmp_path / "b", for_model())
    assert read_files(tmp_path / "b") == fresh(tmp_path, tmp_path / "c")
    assert [len(sample.images) for sample in open_shards(tmp_path / "b")] == [2, 1]


def test_short_videos_keep_their_frames(tmp_path: Path) -> None:
    names = sorted(path.name for path in (GOLDENS / "videos").glob("*.mp4"))
    rows = [{"query": "<video>What?", "response": "Dots.", "videos": [name]} for name in names]
    write_rows(tmp_path / "rows.jsonl", rows)
    options = SKIP | {"media_root": GOLDENS / "videos", "max_length": 100_000}
    convert([str(tmp_path / "rows.jsonl")], tmp_path / "a", make_options(**options))
    retemplate(tmp_path / "a", tmp_path / "b", for_model())
    assert read_files(tmp_path / "b") == fresh(tmp_path, tmp_path / "c", **options)


# What the new model does not take


def test_rows_that_the_new_model_does_not_take_are_rejected(shards: Path, tmp_path: Path) -> None:
    to_v1_5 = for_model(model_type="internvl-chat-v1_5")
    with pytest.raises(BadRowsError, match=r"2 of 26 rows are bad .*--on-bad skip --max-bad-ratio 0\.077"):
        retemplate(shards, tmp_path / "b", to_v1_5)
    assert not (tmp_path / "b" / "manifest.json").exists()
    config = for_model(model_type="internvl-chat-v1_5", on_bad="skip", max_bad_ratio=0.077)
    manifest = retemplate(shards, tmp_path / "b", config)
    before = open_shards(shards).manifest.ledger
    assert (manifest.ledger.rejected, before.rejected) == (4, 2)
    assert manifest.ledger.converted == before.converted - 2
    assert verify(tmp_path / "b").problems == ()
    rejects = read_rejects(tmp_path / "b")
    assert [entry["findings"][0]["code"] for entry in rejects] == ["P001", "M301", "V353", "V353"]
    assert [row["outcome"] for row in read_ledger(tmp_path / "b")].count("rejected") == 4


def test_rows_that_were_rejected_stay_so(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [text_row(1), text_row(2) | {"query": "long " * 300}])
    convert([str(tmp_path / "rows.jsonl")], tmp_path / "a", make_options(**SKIP, max_length=900))
    manifest = retemplate(tmp_path / "a", tmp_path / "b", for_model(max_length=9000))
    assert (manifest.ledger.converted, manifest.ledger.rejected) == (1, 1)
    assert verify(tmp_path / "b").problems == ()


# What it refuses


def test_data_files_must_be_what_they_were(tmp_path: Path) -> None:
    source = Path(write_rows(tmp_path / "data" / "rows.jsonl", [text_row(number) for number in range(9)]))
    convert([str(source)], tmp_path / "a", make_options())
    with pytest.raises(SourceError, match=r"rows\.jsonl cannot be read .*--source-root"):
        retemplate(tmp_path / "a", tmp_path / "b", for_model(source_root=tmp_path))
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(SourceError, match=r"rows\.jsonl cannot be read .*--source-root"):
        retemplate(tmp_path / "a", tmp_path / "b", for_model())
    moved = retemplate(tmp_path / "a", tmp_path / "b", for_model(source_root=tmp_path / "moved"))
    assert moved.source_root == str(tmp_path / "moved")
    write_rows(tmp_path / "moved" / "rows.jsonl", [text_row(number) for number in range(1, 10)])
    with pytest.raises(SourceError, match=r"rows\.jsonl is not what the shards were made of"):
        retemplate(tmp_path / "a", tmp_path / "c", for_model(source_root=tmp_path / "moved"))
    assert not (tmp_path / "c").exists()


def test_a_data_file_edited_during_the_run_is_an_error(tmp_path: Path) -> None:
    source = Path(write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(9)]))
    convert([str(source)], tmp_path / "a", make_options())

    def edit(stage: str, done: int, total: int) -> None:
        if stage == "data files":
            text = source.read_text()
            source.write_text(text.replace("What is 7", "What is 3"))

    with pytest.raises(SourceError, match=r"rows\.jsonl:8: not the row that the ledger has"):
        retemplate(tmp_path / "a", tmp_path / "b", for_model(), progress=edit)
    assert not (tmp_path / "b" / "manifest.json").exists()


def test_shards_of_other_rows_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    source = write_rows(tmp_path / "rows.jsonl", [image_row("a.png"), image_row("a.png", "a.png")])
    convert([source], tmp_path / "a", make_options())
    swapped = list(reversed(list(open_shards(tmp_path / "a"))))
    monkeypatch.setattr("dataprep.retemplating.Shards.__getitem__", lambda self, row: swapped[row])
    with pytest.raises(ShardError, match="the row names other media than its sample has"):
        retemplate(tmp_path / "a", tmp_path / "b", for_model())


def test_folders_in_the_way_are_left_alone(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is the shard directory itself"):
        retemplate(shards, shards, for_model())
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("dear")
    with pytest.raises(ConfigError, match="b holds something else"):
        retemplate(shards, tmp_path / "b", for_model())
    with pytest.raises(ConfigError, match="unknown model type"):
        retemplate(shards, tmp_path / "c", for_model(model_type="internvl9"))


@pytest.mark.parametrize("moment", [2, 6, 9])
def test_a_run_that_stopped_is_made_again(shards: Path, folder: Path, tmp_path: Path, moment: int) -> None:
    class KilledError(Exception):
        pass

    calls = 0

    def die(stage: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            raise KilledError

    with pytest.raises(KilledError):
        retemplate(shards, tmp_path / "b", for_model(), progress=die)
    with pytest.raises(ShardError, match=r"no manifest\.json"):
        open_shards(tmp_path / "b")
    retemplate(shards, tmp_path / "b", for_model())
    assert read_files(tmp_path / "b") == fresh(folder, tmp_path / "c")


@pytest.mark.slow
def test_real_rows_give_what_conversion_gives(real: Path, real_rows: Path, tmp_path: Path, real_chunks: None) -> None:
    paths = [str(path) for path in sorted(real_rows.glob("rows_*.jsonl"))]
    options = SKIP | {"media_root": real, "max_length": 100_000, "fix": True, "media": "link"}
    other = {"model_type": "internvl2-4b", "model": GOLDENS / "tokenizer_bos", "box_style": "internvl"}
    convert(paths, tmp_path / "a", make_options(**options))
    convert(paths, tmp_path / "c", make_options(**options, **other))
    manifest = retemplate(tmp_path / "a", tmp_path / "b", RetemplateConfig(**other))
    assert read_files(tmp_path / "b") == read_files(tmp_path / "c")
    assert manifest.ledger.converted > 3000
    assert manifest.ledger.repaired > 0


@pytest.mark.parametrize(
    ("suffix", "changes", "reason"),
    [
        ("#2", {}, "hold some rows of a data file"),
        ("", {"truncation": "drop-turns"}, "may hold rows that were made short"),
    ],
)
def test_shards_of_drawn_or_shortened_rows_are_refused(
    folder: Path, tmp_path: Path, suffix: str, changes: dict[str, str], reason: str
) -> None:
    convert([str(folder / "rows.jsonl") + suffix], tmp_path / "shards", make_options(**SKIP, **changes))
    with pytest.raises(ConfigError, match=rf"{reason}.*; convert the data again"):
        retemplate(tmp_path / "shards", tmp_path / "out", for_model())
    assert not (tmp_path / "out").exists()
