"""``dataprep ledger`` and ``dataprep diff`` as a person meets them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dataprep import convert
from dataprep.cli import main
from dataprep.shards.manifest import read_manifest, write_manifest
from tests.dataprep.conversions import image_row, make_options, text_row, write_png, write_rows

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run the command in this process; returns exit code, standard output and standard error."""

    def run_main(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dataprep", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as caught:
            main()
        return (int(caught.value.code or 0), *capfd.readouterr())

    return run_main


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_png(folder / "a.png", (1, 2, 3))
    rows = [text_row(1), '{"query": "\x1b[31mcut', image_row("a.png"), image_row("gone\u202e.png")]
    convert([write_rows(folder / "rows.jsonl", rows)], folder / "out", make_options(on_bad="skip", max_bad_ratio=1.0))
    return folder / "out"


def test_totals_add_up_to_the_rows_in(call: Call, converted: Path) -> None:
    code, stdout, stderr = call("ledger", converted)
    assert (code, stderr) == (0, "")
    assert stdout.splitlines() == [
        "4 rows in = 2 converted + 0 repaired + 2 rejected + 0 duplicate",
        "rows.jsonl: 4 rows in = 2 converted + 0 repaired + 2 rejected + 0 duplicate",
        "          1 rejected   M301 image-file-missing",
        "          1 rejected   P001 invalid-json",
    ]
    code, stdout, _ = call("ledger", converted, "--format", "json")
    report = json.loads(stdout)
    assert (code, report["ok"], report["rows_in"], report["rejected"]) == (0, True, 4, 2)
    assert report["sources"][0]["codes"][0] == {"outcome": "rejected", "code": "M301", "rows": 1}


def test_rows_are_listed_so_that_an_editor_can_open_them(call: Call, converted: Path) -> None:
    listed = "rows.jsonl:2: rejected P001\nrows.jsonl:4: rejected M301\n"
    assert call("ledger", converted, "--outcome", "rejected") == (0, listed, "")
    assert call("ledger", converted, "--code", "image-file-missing")[1] == "rows.jsonl:4: rejected M301\n"
    _, stdout, _ = call("ledger", converted, "--code", "p001", "--format", "json")
    assert json.loads(stdout)["source_line"] == 2


def test_the_story_of_a_row_is_printed_without_its_control_characters(call: Call, converted: Path) -> None:
    code, stdout, _ = call("ledger", converted, "--why", "rows.jsonl:2")
    assert code == 0
    assert stdout.startswith("rows.jsonl:2: rejected\n")
    assert "P001 invalid-json: " in stdout
    assert "\x1b" not in stdout
    assert "\u202e" not in call("ledger", converted, "--why", "rows.jsonl:4")[1]
    _, stdout, _ = call("ledger", converted, "--why", "rows.jsonl:3")
    assert "  sample    row 1 of samples-00000.arrow, row 1 of all; split train\n" in stdout
    assert "a.png: png 24x24, 1 tiles (1 x 1); media row 0\n" in stdout
    _, stdout, _ = call("ledger", converted, "--why", "rows.jsonl:3", "--format", "json")
    (story,) = json.loads(stdout)
    assert (story["outcome"], story["shard_file"]) == ("converted", "samples-00000.arrow")
    assert story["media"][0]["path"] == "a.png"
    assert story["num_trained_tokens"] < story["length"]


def test_a_ledger_that_does_not_add_up_exits_1(call: Call, converted: Path, tmp_path: Path) -> None:
    import shutil

    path = Path(shutil.copytree(converted, tmp_path / "out"))
    manifest = read_manifest(path)
    write_manifest(path, replace(manifest, ledger=replace(manifest.ledger, rows_in=5)))
    code, stdout, _ = call("ledger", path)
    assert code == 1
    assert "does not add up: manifest.json: the outcomes add up to 4 rows, rows_in is 5\n" in stdout
    code, stdout, _ = call("ledger", path, "--format", "json")
    assert (code, json.loads(stdout)["ok"]) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--outcome", "lost"], "no outcome 'lost'"),
        (["--why", "rows.jsonl"], "is not FILE:LINE"),
        (["--why", "rows.jsonl:1", "--code", "P001"], "--why tells of one row"),
    ],
)
def test_a_question_that_makes_no_sense_exits_2(
    call: Call, converted: Path, arguments: list[str], message: str
) -> None:
    code, stdout, stderr = call("ledger", converted, *arguments)
    assert (code, stdout) == (2, "")
    assert message in stderr


def test_no_shards_exit_2(call: Call, tmp_path: Path) -> None:
    code, _, stderr = call("ledger", tmp_path)
    assert code == 2
    assert "no manifest.json" in stderr


def test_a_diff_exits_1_and_names_rows(call: Call, tmp_path: Path) -> None:
    a = write_rows(tmp_path / "a.jsonl", [text_row(number) for number in range(30)])
    b = write_rows(tmp_path / "b.jsonl", [text_row(number) for number in range(1, 60)])
    code, stdout, stderr = call("diff", a, b, "--limit", "2")
    assert (code, stderr) == (1, "")
    assert stdout.splitlines() == [
        "rows: 30 -> 59 (+29); 29 the same, 0 changed, 30 added, 1 removed",
        "- a.jsonl:1",
        "+ b.jsonl:30",
        "+ b.jsonl:31",
        "... and 28 more rows added; --limit 0 shows all",
    ]
    code, stdout, _ = call("diff", a, b, "--format", "json")
    assert (code, len(json.loads(stdout)["added"])) == (1, 30)
    assert call("diff", a, a)[:2] == (0, "rows: 30 -> 30 (+0); 30 the same, 0 changed, 0 added, 0 removed\n")
    code, _, stderr = call("diff", a, tmp_path / "gone")
    assert code == 2
    assert "no such file" in stderr


def test_a_diff_of_shards_tells_tokens_captions_and_settings(call: Call, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    entry = {"caption": "\x1b[1mcat", "bbox": [1, 1, 9, 9], "bbox_type": "real", "image": 0}
    row = {"query": "<image>Find <ref-object>", "response": "<bbox>", "images": ["a.png"], "objects": [entry]}
    for name, rows, options in (("a", [text_row(1), text_row(2)], {}), ("b", [row, text_row(2)], {"system": ""})):
        convert([write_rows(tmp_path / f"{name}.jsonl", rows)], tmp_path / name, make_options(**options))
    code, stdout, _ = call("diff", tmp_path / "a", tmp_path / "b")
    assert code == 1
    assert "rows: 2 -> 2 (+0); 1 the same, 1 changed, 0 added, 0 removed\nsamples: 2 -> 2 (+0)\ntokens: " in stdout
    assert "\nsystem: None -> ''\nfingerprint of system: " in stdout
    assert "\n~ a.jsonl:1 -> b.jsonl:1: " in stdout
    assert "\n= a.jsonl:2: " in stdout
    assert "objects '\\x1b[1mcat': 0 -> 1 (+1)\n" in stdout
    assert "\x1b" not in stdout


def test_a_diff_of_data_files_counts_tokens_for_a_model(call: Call, tmp_path: Path) -> None:
    a = write_rows(tmp_path / "a.jsonl", [text_row(1)])
    b = write_rows(tmp_path / "b.jsonl", [text_row(1), text_row(2)])
    options = make_options()
    code, stdout, stderr = call("diff", a, b, "--for", options.model_type, "--model", options.model)
    assert (code, stderr) == (1, "")
    assert "samples: 1 -> 2 (+1)" in stdout
    assert "+ b.jsonl:2: " in stdout
    assert "tokens: " in stdout
    code, _, stderr = call("diff", a, b, "--for", "internvl2-1b")
    assert code == 2
    assert "add --model" in stderr
