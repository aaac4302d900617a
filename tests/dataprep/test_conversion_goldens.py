"""What the goldens say comes out of convert."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert, open_shards
from tests.dataprep.conversions import (
    GOLDENS,
    make_options,
    read_ledger,
    write_rows,
)

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")


def read_by_id(name: str) -> dict[str, dict[str, Any]]:
    lines = (GOLDENS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return {entry["id"]: entry for entry in map(json.loads, lines)}


VARIANTS = {
    "internvl": ("internvl-chat-v1_5", "tokenizer_bos"),
    "internvl2": ("internvl2-8b", "tokenizer_bos"),
    "internvl2-nobos": ("internvl2-1b", "tokenizer_nobos"),
    "internvl2-phi3": ("internvl2-4b", "tokenizer_bos"),
    "internvl-phi3": ("mini-internvl-chat-4b-v1_5", "tokenizer_bos"),
}


def parse_options(words: str) -> dict[str, Any]:
    given = words.split()
    named = dict(zip(given[::2], given[1::2], strict=True))
    changes = {name.removeprefix("--").replace("-", "_"): value.strip("'\"") for name, value in named.items()}
    return {name: int(value) if value.isdigit() else value for name, value in changes.items()}


def group_verdicts(variant: str, kind: str) -> dict[tuple[str, int], list[str]]:
    """Names of the golden rows with a verdict, by the options to convert them with."""
    groups: dict[tuple[str, int], list[str]] = {}
    for name, verdict in read_by_id("verdicts").items():
        v1_5 = variant in ("internvl", "internvl-phi3")
        if (verdict.get("v1_5", verdict["verdict"]) if v1_5 else verdict["verdict"]) == kind:
            key = (verdict.get("options", ""), verdict["max_length"] or 100_000)
            groups.setdefault(key, []).append(name)
    return groups


@pytest.mark.parametrize("variant", VARIANTS)
def test_goldens_come_out_of_convert_as_expected(tmp_path: Path, variant: str, real_chunks: None) -> None:
    model_type, tokenizer = VARIANTS[variant]
    rows, goldens = read_by_id("rows"), read_by_id("goldens")
    compared = 0
    for number, ((words, max_length), names) in enumerate(group_verdicts(variant, "same").items()):
        source = write_rows(tmp_path / f"{number}.jsonl", [rows[name]["row"] for name in names])
        options = make_options(
            model_type=model_type,
            model=GOLDENS / tokenizer,
            media_root=GOLDENS,
            max_length=max_length,
            **parse_options(words),
        )
        convert([source], tmp_path / str(number), options)
        samples = list(open_shards(tmp_path / str(number)))
        for name, sample in zip(names, samples, strict=True):
            expected = goldens[name]["encoded"][variant]
            for column in ("input_ids", "labels"):
                digest = hashlib.sha256(getattr(sample, column).astype("<i4").tobytes()).hexdigest()
                assert digest == expected[column]["sha256_i32le"], (name, column)
            assert [image.tiles for image in sample.images] == [i["tiles"] for i in expected.get("images", [])], name
            compared += 1
    assert compared > 50


@pytest.mark.parametrize("variant", VARIANTS)
def test_goldens_to_reject_are_rejected(tmp_path: Path, variant: str, real_chunks: None) -> None:
    model_type, tokenizer = VARIANTS[variant]
    rows = read_by_id("rows")
    for number, ((words, max_length), names) in enumerate(group_verdicts(variant, "reject").items()):
        source = write_rows(tmp_path / f"{number}.jsonl", [rows[name]["row"] for name in names])
        options = make_options(
            model_type=model_type,
            model=GOLDENS / tokenizer,
            media_root=GOLDENS,
            max_length=max_length,
            on_bad="skip",
            max_bad_ratio=1.0,
            **parse_options(words),
        )
        ledger = convert([source], tmp_path / str(number), options).ledger
        outcomes = [row["outcome"] for row in read_ledger(tmp_path / str(number))]
        assert dict(zip(names, outcomes, strict=True)) == dict.fromkeys(names, "rejected")
        assert ledger.rejected == len(names)
