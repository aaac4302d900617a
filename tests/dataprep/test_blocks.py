"""Slices hold the lines of a file, each once, and what is found in them stands where it stands in the file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dataprep import blocks
from dataprep.blocks import Block, Slice, line_behind, read_blocks, read_slices
from dataprep.checking import ChunkRecipe, check_chunk
from dataprep.config import LintConfig
from dataprep.errors import RuleCrash, SourceError
from dataprep.linting import levels_of
from dataprep.rules.base import CheckedRow, Problem, Rule, RuleContext
from dataprep.rules.runner import CheckerRecipe
from dataprep.rules.turns.answer_missing import AnswerMissing
from dataprep.sources import RawRow
from dataprep.verdicts import ChunkVerdict, place_verdicts

GOOD = b'{"query": "q", "response": "r"}\n'
BAD = b'{"query": "q", "response": ""}\n'


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("LINES_BYTES", 150), ("SLICE_BYTES", 400), ("_PIECE_BYTES", 7)):
        monkeypatch.setattr(blocks, name, size)


def write(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    return str(path)


def rows_of(chunks: Iterator[Block | list[RawRow]]) -> list[RawRow]:
    return [row for chunk in chunks for row in (chunk if isinstance(chunk, list) else chunk.rows())]


def slices_of(path: str, *, is_numbered: bool) -> list[Slice]:
    found = list(read_slices(path, is_numbered=is_numbered))
    assert all(isinstance(piece, Slice) for piece in found)
    return [piece for piece in found if isinstance(piece, Slice)]


FILES = {
    "many": GOOD * 40 + BAD,
    "no line end": GOOD * 40 + BAD[:-1],
    "mark and blank lines": b"\xef\xbb\xbf\n\n" + (GOOD + b"\n" + BAD) * 20 + b"\n\n",
    "lines of all lengths": b"".join(GOOD[:-4] + b"r" * n + b'"}\n' for n in range(0, 1500, 37)),
    "one long line": GOOD[:-4] + b"r" * 5000 + b'"}\n' + BAD,
    "one row": BAD[:-1],
}


@pytest.mark.parametrize("name", FILES)
def test_slices_hold_every_line_once(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, FILES[name])
    slices = slices_of(path, is_numbered=True)
    assert [row for piece in slices for row in rows_of(piece.blocks())] == rows_of(read_blocks(path))
    assert len(slices) > 1 or len(FILES[name]) < 500
    unnumbered = slices_of(path, is_numbered=False)
    assert [(piece.offset, piece.size) for piece in unnumbered] == [(piece.offset, piece.size) for piece in slices]
    assert [piece.place(piece.location.line) for piece in unnumbered] == [piece.location for piece in slices]


@pytest.mark.parametrize("name", FILES)
def test_findings_stand_at_their_lines_wherever_a_slice_begins(tmp_path: Path, name: str) -> None:
    path, config = write(tmp_path, FILES[name]), LintConfig(level=1)
    recipe = ChunkRecipe(CheckerRecipe(config, levels_of(config), config.rules))

    def found(chunks: Iterator[Slice | Block | list[RawRow]]) -> tuple[int, list[tuple[int, object]]]:
        state, before, findings = recipe(), 0, []
        verdicts: list[ChunkVerdict] = []
        for verdict in place_verdicts(check_chunk(state, chunk) for chunk in chunks):
            findings += [(before + number, of_row) for number, of_row in verdict.findings]
            before += verdict.num_rows
            verdicts.append(verdict)
        return before, findings

    at_once = found(read_blocks(path))
    assert found(read_slices(path, is_numbered=False)) == found(read_slices(path)) == at_once
    assert any(findings for _, findings in at_once[1]) or name == "lines of all lengths"


def test_the_line_behind_a_block(tmp_path: Path) -> None:
    (*_, last) = read_blocks(write(tmp_path, FILES["no line end"]))
    assert isinstance(last, Block)
    assert line_behind(last) == 42
    assert line_behind([RawRow(last.location, GOOD)]) == last.location.line + 1


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, FILES["many"])
    last = slices_of(path, is_numbered=False)[-1]
    Path(path).write_bytes(FILES["many"][:-10])
    with pytest.raises(SourceError, match="became shorter while it was read"):
        list(last.blocks())
    Path(path).unlink()
    with pytest.raises(SourceError, match="cannot be read any more"):
        list(last.blocks())


def test_a_crash_in_a_slice_names_the_line_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def crash(rule: Rule, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        if b"boom" in row.raw.text:
            raise ZeroDivisionError
        yield from ()

    monkeypatch.setattr(AnswerMissing, "check", crash)
    path, config = write(tmp_path, GOOD * 40 + GOOD.replace(b"q", b"boom") + GOOD), LintConfig(level=1)
    state = ChunkRecipe(CheckerRecipe(config, levels_of(config), config.rules))()
    with pytest.raises(RuleCrash, match=r"rows\.jsonl:41; this is a defect"):
        list(map(partial(check_chunk, state), read_slices(path, is_numbered=False)))
