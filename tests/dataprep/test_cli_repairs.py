"""``dataprep remask`` and ``dataprep retemplate`` as a person meets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dataprep import convert
from tests.dataprep.conversions import GOLDENS, SKIP, make_options, read_files, text_row, write_rows, write_varied

Call = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")


def test_remask(tmp_path: Path, call: Call) -> None:
    rows = [text_row(number) | {"history": [["What?", "A thing."]] * (number % 3)} for number in range(9)]
    source = write_rows(tmp_path / "rows.jsonl", [*rows, "no json"])
    for mask in ("answers", "last-answer"):
        convert([source], tmp_path / mask, make_options(**SKIP, loss_mask=mask))
    code, out, err = call("remask", tmp_path / "answers", "--loss-mask", "last-answer", "--out", tmp_path / "b")
    assert (code, err) == (0, "")
    assert "10 rows in = 9 converted + 0 repaired + 1 rejected + 0 duplicate" in out
    assert f"dataprep train {tmp_path / 'b'} " in out
    assert read_files(tmp_path / "b") == read_files(tmp_path / "last-answer")
    options = ("--loss-mask", "answers", "--format", "json")
    code, out, err = call("remask", tmp_path / "b", "--out", tmp_path / "c", *options)
    assert (code, err) == (0, "")
    assert out == (tmp_path / "answers" / "manifest.json").read_text(encoding="utf-8")
    code, _, err = call("remask", tmp_path / "answers", "--loss-mask", "answers", "--out", tmp_path / "d")
    assert code == 2
    assert "has the loss mask answers already" in err


def test_retemplate(tmp_path: Path, call: Call) -> None:
    source, tokenizer = write_varied(tmp_path), GOLDENS / "tokenizer_bos"
    convert([source], tmp_path / "a", make_options(**SKIP))
    convert([source], tmp_path / "fresh", make_options(**SKIP, model_type="internvl2-4b", model=tokenizer))
    options = ("--model", tokenizer, "--for")
    code, out, err = call("retemplate", tmp_path / "a", "--out", tmp_path / "b", *options, "internvl2-4b")
    assert (code, err) == (0, "2 rows that were rejected before stay out; 'dataprep convert' would try again\n")
    assert "26 rows in = 24 converted" in out
    assert read_files(tmp_path / "b") == read_files(tmp_path / "fresh")
    code, _, err = call("retemplate", tmp_path / "a", "--out", tmp_path / "d", *options, "internvl-chat-v1_5")
    assert code == 1
    assert "V353" in err
    assert "2 of 26 rows are bad" in err


@pytest.mark.parametrize("command", ["remask", "retemplate"])
def test_no_shards_are_an_error(tmp_path: Path, call: Call, command: str) -> None:
    options = {"remask": ("--loss-mask", "answers"), "retemplate": ("--model", GOLDENS / "tokenizer_bos")}[command]
    code, _, err = call(command, tmp_path / "gone", "--out", tmp_path / "out", *options)
    assert code == 2
    assert "no such directory; give the --out of a conversion" in err
    assert not (tmp_path / "out").exists()
