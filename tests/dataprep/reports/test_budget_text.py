"""The budget as a person sees it."""

from __future__ import annotations

from dataclasses import replace

from dataprep.budget import Bin, Budget, HeavyPack
from dataprep.findings import Location
from dataprep.reports.budget_text import budget_lines, histogram_lines

BUDGET = Budget(
    rows=1300,
    too_long=100,
    max_length=1000,
    pack_length=2000,
    tokens=600_000,
    image_tokens=450_000,
    tiles=3000,
    longest=Location("a.jsonl", 7),
    longest_tokens=1400,
    lengths=(Bin(low=0, high=499, rows=800), Bin(low=500, high=999, rows=400), Bin(low=1000, high=1499, rows=100)),
    tiles_per_row=(Bin(low=0, high=0, rows=1299), Bin(low=1, high=1, rows=1)),
    packs=310,
    above_pack=0,
    pack_efficiency=0.9677,
    heaviest=(HeavyPack(tokens=2000, tiles=20, num_rows=5, rows=tuple(Location("a.jsonl", n) for n in (3, 1, 4, 9))),),
    shard_bytes_embed=12_345_678,
    shard_bytes_link=999,
)


def test_the_whole_budget() -> None:
    assert list(budget_lines(BUDGET)) == [
        "Budget of 1,200 rows: 600,000 tokens (75% of images), 3,000 tiles",
        "",
        "tokens per row (longest: 1,400, a.jsonl:7)",
        "      0 -   499  800  ████████████████████████████████████████",
        "    500 -   999  400  ████████████████████",
        "  1,000 - 1,499  100  █████",
        "  100 of 1,300 rows are longer than 1,000 tokens (--max-length) and would be rejected",
        "",
        "tiles per row",
        "      0  1,299  ████████████████████████████████████████",
        "      1      1  ▏",
        "",
        "packs of 2,000 tokens: 310, 96.8% full, 3.9 rows each",
        "heaviest packs (most tiles first; the run needs memory for these)",
        "  1. 20 tiles, 2,000 tokens, 5 rows: a.jsonl:3, a.jsonl:1, a.jsonl:4 and 2 more",
        "",
        "shards: about 12.3 MB with the media in them, about 999 bytes with --media link",
    ]


def test_bins_beyond_the_limit_are_marked() -> None:
    lines = list(histogram_lines(BUDGET.lengths, limit=999))
    assert [line.endswith("over --max-length") for line in lines] == [False, False, True]


def test_text_only_data_have_no_tiles_and_long_rows_are_named() -> None:
    text = "\n".join(budget_lines(replace(BUDGET, tiles=0, above_pack=3, heaviest=())))
    assert "tiles per row" not in text
    assert "3 rows are longer than a pack" in text
