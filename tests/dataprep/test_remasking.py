"""Remasked shards are those of a conversion with the other mask, byte for byte, and the media are the same files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dataprep.remasking
from dataprep import convert, ledger, open_shards, verify
from dataprep.errors import ConfigError, ShardError
from dataprep.remasking import remask
from dataprep.shards.manifest import read_manifest, write_manifest
from tests.dataprep.conversions import (
    GOLDENS,
    SKIP,
    image_row,
    make_options,
    read_files,
    text_row,
    write_png,
    write_rows,
)

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")


def write_turns(folder: Path) -> str:
    """Write rows with one, two and three turns, images, and two bad rows."""
    write_png(folder / "a.png", (1, 2, 3), (48, 24))
    history = [["What?", "A thing."], ["Where?", "Here."]]
    rows: list[Any] = [text_row(number) | {"history": history[: number % 3]} for number in range(12)]
    rows += [image_row("a.png") | {"history": history[:1]}, image_row("a.png"), "no json", image_row("gone.png")]
    return write_rows(folder / "rows.jsonl", rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shards of both masks."""
    folder = tmp_path_factory.mktemp("masks")
    source = write_turns(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataprep.blocks.CHUNK_ROWS", 4)
        patch.setattr("dataprep.assembly.SHARD_BYTES", 1500)
        for mask in ("answers", "last-answer"):
            convert([source], folder / mask, make_options(**SKIP, loss_mask=mask))
    return folder


@pytest.mark.parametrize(("before", "after"), [("answers", "last-answer"), ("last-answer", "answers")])
def test_remasking_gives_what_conversion_gives(made: Path, tmp_path: Path, before: str, after: str) -> None:
    remask(made / before, tmp_path / "out", after)
    assert read_files(tmp_path / "out") == read_files(made / after)
    assert verify(tmp_path / "out").problems == ()
    assert ledger(tmp_path / "out").ok
    (media,) = open_shards(tmp_path / "out").manifest.media_shards
    assert (tmp_path / "out" / media.file).samefile(made / before / media.file)


@pytest.mark.parametrize("tokenizer", ["tokenizer_bos", "tokenizer_nobos"])
@pytest.mark.parametrize("model_type", ["internvl2-1b", "internvl2-4b", "internvl-chat-v1_5"])
def test_answers_come_back(tmp_path: Path, model_type: str, tokenizer: str) -> None:
    options = make_options(**SKIP, model_type=model_type, model=GOLDENS / tokenizer)
    convert([write_turns(tmp_path)], tmp_path / "a", options)
    remask(tmp_path / "a", tmp_path / "b", "last-answer")
    remask(tmp_path / "b", tmp_path / "c", "answers")
    assert read_files(tmp_path / "c") == read_files(tmp_path / "a")
    assert read_files(tmp_path / "b") != read_files(tmp_path / "a")


def test_only_the_last_answer_is_trained(made: Path) -> None:
    before, after = (open_shards(made / name) for name in ("answers", "last-answer"))
    fewer = 0
    for one, other in zip(before, after, strict=True):
        assert one.input_ids.tolist() == other.input_ids.tolist()
        trained = [int(value) for value in other.labels if value != -100]
        assert trained == [int(value) for value in one.labels if value != -100][-len(trained) :]
        fewer += int((one.labels != -100).sum()) - len(trained)
    assert fewer > 0
    totals = [manifest.splits["train"].trained_tokens for manifest in (before.manifest, after.manifest)]
    assert totals[0] > totals[1]


def test_neither_sources_nor_media_are_needed(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "answers", tmp_path / "shards")
    manifest = read_manifest(tmp_path / "shards")
    write_manifest(tmp_path / "shards", replace(manifest, source_root=str(tmp_path / "gone")))
    remask(tmp_path / "shards", tmp_path / "out", "last-answer")
    assert verify(tmp_path / "out").ok


def test_links_lead_to_the_same_media(tmp_path: Path) -> None:
    convert([write_turns(tmp_path)], tmp_path / "a", make_options(**SKIP, media="link"))
    manifest = read_manifest(tmp_path / "a")
    write_manifest(tmp_path / "a", replace(manifest, media_root=".."))
    remask(tmp_path / "a", tmp_path / "deep" / "b", "last-answer")
    shards = open_shards(tmp_path / "deep" / "b")
    assert shards.read_media(shards.media(0)) == (tmp_path / "a.png").read_bytes()


def test_what_cannot_be_done_is_said(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has the loss mask answers already"):
        remask(made / "answers", tmp_path / "out", "answers")
    with pytest.raises(ConfigError, match="--loss-mask is 'all', expected answers or last-answer"):
        remask(made / "answers", tmp_path / "out", "all")
    with pytest.raises(ConfigError, match="already holds complete shards"):
        remask(made / "answers", made / "last-answer", "last-answer")
    with pytest.raises(ConfigError, match="is the shard directory itself"):
        remask(made / "answers", made / "answers", "last-answer")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("dear")
    with pytest.raises(ConfigError, match="full holds something else"):
        remask(made / "answers", tmp_path / "full", "last-answer")
    with pytest.raises(ConfigError, match="cannot be used for output"):
        remask(made / "answers", tmp_path / "full" / "thesis.txt" / "out", "last-answer")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changes", [{"tokenizer": None}, {"special_text": "keep"}])
def test_answers_that_ids_do_not_tell_are_an_error(made: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    shutil.copytree(made / "last-answer", tmp_path / "shards")
    write_manifest(tmp_path / "shards", replace(read_manifest(tmp_path / "shards"), **changes))
    with pytest.raises(ShardError, match="the answers cannot be told from the ids"):
        remask(tmp_path / "shards", tmp_path / "out", "answers")


def test_ids_that_contradict_the_labels_are_an_error(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "last-answer", tmp_path / "shards")
    manifest = read_manifest(tmp_path / "shards")
    assert manifest.tokenizer is not None
    facts = replace(manifest.tokenizer, answer_start_ids=manifest.tokenizer.answer_start_ids[1:2])
    write_manifest(tmp_path / "shards", replace(manifest, tokenizer=facts))
    with pytest.raises(ShardError, match="are not those that the labels train"):
        remask(tmp_path / "shards", tmp_path / "out", "answers")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_damaged_shards_are_refused_and_nothing_looks_whole(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "answers", tmp_path / "shards")
    file = tmp_path / "shards" / "samples-00001.arrow"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ShardError, match=r"samples-00001\.arrow: sha256"):
        remask(tmp_path / "shards", tmp_path / "out", "last-answer")
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize("moment", [1, 3])
def test_a_run_that_stopped_is_made_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    class KilledError(Exception):
        pass

    def die(stage: str, done: int, total: int) -> None:
        if done == moment:
            raise KilledError

    with pytest.raises(KilledError):
        remask(made / "answers", tmp_path / "out", "last-answer", progress=die)
    with pytest.raises(ShardError, match=r"no manifest\.json"):
        open_shards(tmp_path / "out")
    (tmp_path / "out" / "samples-00099.arrow").write_bytes(b"of another run")
    with monkeypatch.context() as patch:
        patch.setattr(dataprep.remasking, "write_manifest", die_at_the_end)
        with pytest.raises(KeyboardInterrupt):
            remask(made / "answers", tmp_path / "out", "last-answer")
    remask(made / "answers", tmp_path / "out", "last-answer")
    assert read_files(tmp_path / "out") == read_files(made / "last-answer")


def die_at_the_end(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_labels_that_the_mask_does_not_allow_are_found(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "answers", tmp_path / "shards")
    manifest = read_manifest(tmp_path / "shards")
    write_manifest(tmp_path / "shards", replace(manifest, loss_mask="last-answer"))
    problems = verify(tmp_path / "shards").problems
    assert problems
    assert all("more than the last answer carries loss in row" in problem for problem in problems)
