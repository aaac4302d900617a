"""The truth about what a row means: every golden row does what its verdict says, for every template there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dataprep.encode import Encoder, make_encoder
from dataprep.findings import Location
from dataprep.media.index import MediaIndex
from dataprep.rules.base import CheckedRow, RuleContext
from dataprep.rules.runner import FOR_CONVERSION, RowChecker
from dataprep.sources import RawRow
from dataprep.templates import Slot, Text

GOLDENS = Path(__file__).parent.parent / "fixtures" / "goldens"
VARIANTS = {
    "internvl": ("internvl-chat-v1_5", "tokenizer_bos"),
    "internvl2": ("internvl2-8b", "tokenizer_bos"),
    "internvl2-nobos": ("internvl2-1b", "tokenizer_nobos"),
    "internvl2-phi3": ("internvl2-4b", "tokenizer_bos"),
    "internvl-phi3": ("mini-internvl-chat-4b-v1_5", "tokenizer_bos"),
}
V1_5 = ("internvl", "internvl-phi3")
# What the rows that differ from the reference on purpose must equal instead.
OURS = {
    "fmt-04-conversations-human-gpt": {"query": "<image>\nq", "response": "r", "images": ["images/sq_448.png"]},
    "fmt-10-messages-content-list": {"query": "q", "response": "r"},
}


def read_by_id(name: str) -> dict[str, dict[str, Any]]:
    lines = (GOLDENS / name).read_text(encoding="utf-8").splitlines()
    return {entry["id"]: entry for entry in map(json.loads, lines)}


ROWS, EXPECTED, VERDICTS = (read_by_id(f"{name}.jsonl") for name in ("rows", "goldens", "verdicts"))


@dataclass(frozen=True)
class Options:
    max_num: int | None = None
    missing_image_tag: str = "last"
    system: str | None = None


def options_of(verdict: dict[str, Any]) -> Options:
    words = verdict.get("options", "").split()
    given = dict(zip(words[::2], words[1::2], strict=True))
    return Options(
        max_num=int(given["--max-num"]) if "--max-num" in given else None,
        missing_image_tag=given.get("--missing-image-tag", "last"),
        system="" if "--system" in given else None,
    )


@cache
def encoder_of(variant: str, options: Options) -> Encoder:
    model_type, folder = VARIANTS[variant]
    return make_encoder(
        model_type,
        GOLDENS / folder,
        max_num=options.max_num,
        missing_image_tag=options.missing_image_tag,
        system=options.system,
    )


def check(
    row: dict[str, Any], variant: str, options: Options, *, max_length: int, special: str = "reject"
) -> CheckedRow:
    encoder = encoder_of(variant, options)
    context = RuleContext(
        model_type=encoder.settings.model_type,
        max_length=max_length,
        missing_image_tag=options.missing_image_tag,
        special_text=special,
    )
    checker = RowChecker(context, media=MediaIndex(GOLDENS), levels=FOR_CONVERSION, encoder=encoder)
    return checker.check(RawRow(Location("rows.jsonl", 1), json.dumps(row).encode()))


def sha256(array: Any) -> str:
    return hashlib.sha256(array.astype("<i4").tobytes()).hexdigest()


CASES = [(name, variant) for name, verdict in VERDICTS.items() if verdict["verdict"] != "skip" for variant in VARIANTS]


@pytest.mark.parametrize(("name", "variant"), CASES, ids=[f"{name}-{variant}" for name, variant in CASES])
def test_golden_row(name: str, variant: str) -> None:
    verdict, row, options = VERDICTS[name], ROWS[name]["row"], options_of(VERDICTS[name])
    wanted = verdict.get("v1_5", verdict["verdict"]) if variant in V1_5 else verdict["verdict"]
    checked = check(row, variant, options, max_length=verdict["max_length"] or 100_000)
    if wanted == "reject":
        assert checked.has_errors, verdict
        assert all(finding.message for finding in checked.findings)
        return
    assert not checked.has_errors, checked.findings
    assert checked.layout is not None
    sample = encoder_of(variant, options).encode([checked.layout])[0]
    assert len(sample.input_ids) == checked.num_tokens
    if wanted == "ours":
        assert_ours(name, variant, sample.input_ids.tolist(), checked)
        return
    expected = EXPECTED[name]["encoded"][variant]
    assert [shown(part) for part in checked.layout.parts] == [
        segment.get("text") for segment in expected["segments"] if segment.get("ids") != [1]
    ] or variant in V1_5
    assert sha256(sample.input_ids) == expected["input_ids"]["sha256_i32le"]
    assert sha256(sample.labels) == expected["labels"]["sha256_i32le"]
    assert [image.grid.tiles for image in checked.layout.images] == [i["tiles"] for i in expected.get("images", [])]


def shown(part: Text | Slot) -> str | None:
    return part.text if isinstance(part, Text) else None


def assert_ours(name: str, variant: str, input_ids: list[int], checked: CheckedRow) -> None:
    if name in OURS:
        equal = check(OURS[name], variant, Options(), max_length=100_000)
        assert equal.layout is not None
        assert encoder_of(variant, Options()).encode([equal.layout])[0].input_ids.tolist() == input_ids
        return
    assert name == "gnd-25-multi-box-norm1"
    assert checked.layout is not None
    v1_5_text, text = "[(99,199),(299,399)],[(499,599),(699,799)]", "[[99, 199, 299, 399],[499, 599, 699, 799]]"
    assert checked.layout.response == (v1_5_text if variant in V1_5 else f"<box> {text} </box>")


@pytest.mark.parametrize("name", ["tag-27-special-token-text", "tag-28-special-token-text-with-image"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_special_text_can_be_kept(name: str, variant: str) -> None:
    checked = check(ROWS[name]["row"], variant, Options(), max_length=100_000, special="keep")
    assert checked.layout is not None, checked.findings
    sample = encoder_of(variant, Options()).encode([checked.layout])[0]
    assert sha256(sample.input_ids) == EXPECTED[name]["encoded"][variant]["input_ids"]["sha256_i32le"]


def test_the_fixtures_are_all_there() -> None:
    assert len(ROWS) == len(VERDICTS) == len(EXPECTED) == 132
