"""Rows that conversion repairs and rows that it leaves out: the same ones whatever the number of workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert, ledger, open_shards, verify
from dataprep.baseline import Baseline
from dataprep.config import LintConfig
from dataprep.fixing import fix_file
from dataprep.retemplating import RetemplateConfig, retemplate
from tests.dataprep.conversions import (
    GOLDENS,
    image_row,
    make_options,
    read_files,
    read_ledger,
    read_outcomes,
    read_rejects,
    text_row,
    write_png,
    write_rows,
)

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")


def write_mendable(folder: Path) -> str:
    """Write rows that are fine, rows that safe fixes mend, and rows that they do not."""
    write_png(folder / "a.png", (1, 2, 3), (48, 24))
    rows: list[Any] = [
        text_row(1),
        '{"query": "comma", "response": "r",}',
        image_row("A.PNG"),
        image_row("a.png", "a.png") | {"query": "<image>one tag"},
        image_row("a.png") | {"images": ["a.png", ""]},
        '{"query": "cut',
        image_row("gone.png") | {"query": "<iamge>both"},
        {"query": "text", "response": 3},
    ]
    return write_rows(folder / "rows.jsonl", rows)


@pytest.fixture(scope="module")
def mendable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mendable")
    write_mendable(folder)
    return folder


SKIP = {"on_bad": "skip", "max_bad_ratio": 1.0}


@pytest.mark.parametrize("media", ["embed", "link"])
def test_safe_fixes_are_applied_on_the_way(mendable: Path, tmp_path: Path, media: str) -> None:
    source = str(mendable / "rows.jsonl")
    manifest = convert([source], tmp_path / "out", make_options(**SKIP, fix=True, media=media))
    expected = ["converted", "repaired", "repaired", "repaired", "repaired", "rejected", "rejected", "repaired"]
    assert read_outcomes(tmp_path / "out") == expected
    assert (manifest.ledger.converted, manifest.ledger.repaired, manifest.ledger.rejected) == (1, 5, 2)
    rows = read_ledger(tmp_path / "out")
    assert [row["codes"][0] for row in rows if row["outcome"] == "repaired"] == ["P001", "M301", "T202", "T206", "S104"]
    assert verify(tmp_path / "out").problems == ()
    assert ledger(tmp_path / "out").ok


def test_without_the_option_nothing_is_repaired(mendable: Path, tmp_path: Path) -> None:
    manifest = convert([str(mendable / "rows.jsonl")], tmp_path / "out", make_options(**SKIP))
    assert (manifest.ledger.repaired, manifest.ledger.converted) == (0, 2)


def test_a_repaired_row_becomes_what_its_fixed_file_becomes(mendable: Path, tmp_path: Path) -> None:
    """Lint's --fix and then convert give the samples that convert --fix gives."""
    source = str(mendable / "rows.jsonl")
    fixed = mendable / "fixed.jsonl"
    config = LintConfig(model_type="internvl2-1b")
    fix_file(source, config, unsafe=False, baseline=Baseline(()), fixed_path=fixed)
    convert([source], tmp_path / "a", make_options(**SKIP, fix=True))
    convert([str(fixed)], tmp_path / "b", make_options(**SKIP))
    a, b = list(open_shards(tmp_path / "a")), list(open_shards(tmp_path / "b"))
    assert [sample.input_ids.tolist() for sample in a] == [sample.input_ids.tolist() for sample in b]
    assert [sample.source_line for sample in a] == [1, 2, 3, 4, 5, 8]
    assert [row["row_hash"] for row in read_ledger(tmp_path / "a")] != [
        row["row_hash"] for row in read_ledger(tmp_path / "b")
    ], "the ledger names rows by what their file says"


def test_a_row_that_fixes_do_not_save_is_rejected_as_it_was_found(mendable: Path, tmp_path: Path) -> None:
    convert([str(mendable / "rows.jsonl")], tmp_path / "fix", make_options(**SKIP, fix=True))
    convert([str(mendable / "rows.jsonl")], tmp_path / "plain", make_options(**SKIP))
    plain = {entry["source_line"]: entry for entry in read_rejects(tmp_path / "plain")}
    for entry in read_rejects(tmp_path / "fix"):
        assert entry == plain[entry["source_line"]]


@pytest.mark.parametrize("options", [{"fix": True}, {"fix": True, "drop_duplicates": True}, {"drop_duplicates": True}])
def test_workers_and_interruptions_change_nothing(mendable: Path, tmp_path: Path, options: dict[str, bool]) -> None:
    rows = (mendable / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    source = write_rows(mendable / "twice.jsonl", [*rows, *rows[::-1], *rows])
    config = make_options(**SKIP, **options)
    convert([source], tmp_path / "reference", config)
    convert([source], tmp_path / "two", make_options(**SKIP, **options, jobs=2))

    class KilledError(Exception):
        pass

    def die(stage: str, done: int, total: int) -> None:
        if stage == "sample shards":
            raise KilledError

    with pytest.raises(KilledError):
        convert([source], tmp_path / "killed", config, progress=die)
    convert([source], tmp_path / "killed", config)
    expected = read_files(tmp_path / "reference")
    assert read_files(tmp_path / "two") == read_files(tmp_path / "killed") == expected
    assert verify(tmp_path / "reference").problems == ()


def test_a_file_that_takes_the_wanted_name_is_taken_up(tmp_path: Path) -> None:
    """A part that rests on a fix is made anew when the file that was missing is there."""
    write_png(tmp_path / "a.png", (1, 2, 3))
    source = write_rows(tmp_path / "rows.jsonl", [image_row("A.PNG")])

    class KilledError(Exception):
        pass

    def die(stage: str, done: int, total: int) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        convert([source], tmp_path / "out", make_options(fix=True), progress=die)
    write_png(tmp_path / "A.PNG", (9, 9, 9))
    manifest = convert([source], tmp_path / "out", make_options(fix=True))
    assert (manifest.ledger.converted, manifest.ledger.repaired) == (1, 0)
    shards = open_shards(tmp_path / "out")
    assert shards.read_media(shards.media(0)) == (tmp_path / "A.PNG").read_bytes()


def test_both_outcomes_survive_retemplating(tmp_path: Path) -> None:
    rows = Path(write_mendable(tmp_path)).read_text(encoding="utf-8").splitlines()
    rows.append(json.dumps(image_row("a.png") | {"images": "a.png, b.png", "query": "joined"}))
    write_png(tmp_path / "b.png", (1, 2, 3), (30, 60))
    source = write_rows(tmp_path / "again.jsonl", rows + rows)
    options = {**SKIP, "fix": True, "drop_duplicates": True, "media_root": tmp_path}
    other = {"model": GOLDENS / "tokenizer_bos", "model_type": "internvl2-4b"}
    convert([source], tmp_path / "a", make_options(**options))
    convert([source], tmp_path / "c", make_options(**options, **other))
    for name in ("a.png", "b.png"):  # no media are needed
        (tmp_path / name).unlink()
    retemplate(tmp_path / "a", tmp_path / "b", RetemplateConfig(**other))
    assert read_files(tmp_path / "b") == read_files(tmp_path / "c")
    assert {"repaired", "duplicate", "rejected", "converted"} == set(read_outcomes(tmp_path / "b"))


def test_a_repaired_row_that_the_new_model_does_not_take_is_rejected(mendable: Path, tmp_path: Path) -> None:
    convert([str(mendable / "rows.jsonl")], tmp_path / "a", make_options(**SKIP, fix=True))
    config = RetemplateConfig(model=GOLDENS / "tokenizer_bos", max_length=20, on_bad="skip", max_bad_ratio=1.0)
    manifest = retemplate(tmp_path / "a", tmp_path / "b", config)
    assert manifest.ledger.repaired == 0
    texts = [row["text"] for row in read_rejects(tmp_path / "b")]
    assert '{"query": "comma", "response": "r",}' in texts, "as it was found"
    assert verify(tmp_path / "b").problems == ()


def test_the_command(mendable: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    rows = (mendable / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    source = write_rows(mendable / "command.jsonl", rows[:5] * 2)
    code, out, _ = call(
        "convert", source, "--for", "internvl2-1b", "--model", make_options().model, "--out", tmp_path / "out",
        "--fix", "--drop-duplicates", "--format", "json",
    )  # fmt: skip
    assert code == 0
    told = json.loads(out)["ledger"]
    assert (told["converted"], told["repaired"], told["duplicate"]) == (1, 4, 5)
