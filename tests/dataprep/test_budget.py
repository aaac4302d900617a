"""The budget counts what conversion would write: rows, tokens, tiles, packs and bytes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from dataprep import convert, lint
from dataprep.budget import Bin, Budget, plan_budget
from dataprep.config import LintConfig
from dataprep.corpus import Corpus, Facts
from dataprep.findings import Location
from dataprep.packing import pack, pack_efficiency
from dataprep.reports.json_report import report_object
from schemas import load_schema
from tests.dataprep.conversions import TOKENIZER, image_row, make_options, text_row, write_png, write_rows


def corpus_of(lengths: list[tuple[int, int, int]], *, media: list[int] | None = None) -> Corpus:
    """A corpus of one file; each row as tokens, image tokens, tiles; media as hash and size in turn."""
    facts = Facts()
    for line, (tokens, image_tokens, tiles) in enumerate(lengths, start=1):
        facts.lengths.lines.append(line)
        facts.lengths.tokens.append(tokens)
        facts.lengths.image_tokens.append(image_tokens)
        facts.lengths.tiles.append(tiles)
        facts.lengths.frames.append(0)
    facts.lengths.media.extend(media or [])
    return Corpus(paths=["a.jsonl"], files={"a.jsonl": facts})


def plan(corpus: Corpus, *, max_length: int, pack_length: int | None = None) -> Budget:
    budget = plan_budget(corpus, max_length=max_length, pack_length=pack_length)
    assert budget is not None
    return budget


def test_the_budget_is_that_of_the_conversion(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3), size=(900, 448))
    write_png(tmp_path / "b.png", (3, 2, 1))
    rows = [
        *map(text_row, range(30)),
        image_row("a.png"),
        image_row("a.png", "b.png"),
        "{broken",
        image_row("gone.png"),
    ]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    options = LintConfig(model_type="internvl2-1b", model=TOKENIZER, max_length=2000, pack_length=3000)
    report = lint([source], options)
    manifest = convert([source], tmp_path / "out", make_options(max_length=2000, on_bad="skip", max_bad_ratio=1.0))
    made, budget = manifest.splits["train"], report.budget
    assert budget is not None
    assert (budget.rows, budget.too_long, budget.tokens, budget.tiles) == (made.rows, 0, made.tokens, made.tiles)
    on_disk = sum(p.stat().st_size for p in (tmp_path / "out").glob("*.arrow"))
    assert 0.3 * on_disk < budget.shard_bytes_embed < 3 * on_disk
    value = json.loads(json.dumps(report_object(report)))
    jsonschema.Draft202012Validator(load_schema("report")).validate(value)
    assert value["budget"]["longest"] == {"path": source, "line": 32}


def test_rows_that_are_too_long_are_counted_and_left_out(tmp_path: Path) -> None:
    budget = plan(corpus_of([(100, 0, 0), (5000, 4000, 16), (90, 50, 1)]), max_length=1000)
    assert (budget.rows, budget.too_long, budget.tokens, budget.image_tokens, budget.tiles) == (3, 1, 190, 50, 1)
    assert (budget.longest, budget.longest_tokens) == (Location("a.jsonl", 2), 5000)
    assert (budget.packs, budget.pack_length, budget.pack_efficiency) == (1, 1000, 0.19)


def test_packs_are_those_of_training() -> None:
    lengths = [100 + 37 * n % 900 for n in range(500)]
    budget = plan(corpus_of([(n, 0, n % 7) for n in lengths]), max_length=1000, pack_length=2048)
    packs = pack(lengths, capacity=2048, seed=0, epoch=0)
    assert budget.packs == len(packs)
    assert budget.pack_efficiency == pack_efficiency(packs, lengths, capacity=2048)
    most = max(sum(lengths[row] % 7 for row in rows.tolist()) for rows in packs)
    assert budget.heaviest[0].tiles == most >= budget.heaviest[1].tiles
    assert budget.heaviest[0].num_rows >= len(budget.heaviest[0].rows) > 0


def test_rows_longer_than_a_pack_are_told() -> None:
    budget = plan(corpus_of([(900, 0, 0), (100, 0, 0)]), max_length=1000, pack_length=500)
    assert (budget.above_pack, budget.packs, budget.pack_efficiency) == (1, 2, 0.6)


@pytest.mark.parametrize(
    ("values", "bins"),
    [
        ([0], [Bin(low=0, high=0, rows=1)]),
        ([0, 1, 1, 2], [Bin(low=0, high=0, rows=1), Bin(low=1, high=1, rows=2), Bin(low=2, high=2, rows=1)]),
        ([5, 59], [Bin(low=5 * n, high=5 * n + 4, rows=int(n in (1, 11))) for n in range(12)]),
    ],
)
def test_histograms_have_round_bins(values: list[int], bins: list[Bin]) -> None:
    budget = plan(corpus_of([(100, 0, value) for value in values]), max_length=1000)
    assert list(budget.tiles_per_row) == bins


def test_a_medium_is_counted_once() -> None:
    budget = plan(corpus_of([(100, 0, 1)] * 3, media=[7, 5000, 7, 5000, 8, 300]), max_length=1000)
    assert budget.shard_bytes_embed - budget.shard_bytes_link == 5300


def test_no_row_with_a_length_has_no_budget(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", ["{broken"])
    assert lint([source], LintConfig(model_type="internvl2-1b", model=TOKENIZER)).budget is None
    assert lint([write_rows(tmp_path / "b.jsonl", [text_row(1)])]).budget is None


def test_validation_rows_are_left_out(tmp_path: Path) -> None:
    paths = [write_rows(tmp_path / f"{name}.jsonl", [text_row(n)]) for n, name in enumerate(("train", "val"))]
    report = lint(paths[:1], LintConfig(model_type="internvl2-1b", model=TOKENIZER, val=(paths[1],)))
    assert report.budget is not None
    assert report.budget.rows == 1
