"""Rows that are too long are made fit in whole turns or whole tiles, and the ledger says so."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataprep import convert, ledger, lint, open_shards, verify
from dataprep.config import LintConfig
from dataprep.errors import LongRowsError
from dataprep.shards.reader import Shards
from dataprep.shards.repairs import read_repairs
from dataprep.shards.samples import Sample
from dataprep.shards.stories import why
from tests.dataprep.conversions import TOKENIZER, make_options, read_files, read_ledger, text_row, write_png, write_rows

MAX_LENGTH = 2200
SIZES = {"small.png": (40, 40), "wide.png": (1400, 450), "large.png": (1300, 1300)}


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(("red", "a", "lamp", "where", "über", "7")) for _ in range(count))


def random_row(rng: random.Random) -> dict[str, Any]:
    """A row of up to seven turns, each of which may bring an image and a box on it along."""
    turns: list[tuple[str, str]] = []
    images: list[str] = []
    objects = []
    for _ in range(rng.randint(1, 7)):
        query, answer = words(rng, rng.randint(1, 60)), words(rng, rng.randint(1, 60))
        if rng.random() < 0.5:
            images.append(rng.choice(list(SIZES)))
            query = f"<image>{query}"
        if images and rng.random() < 0.5:
            query, answer = f"{query} <ref-object>", f"{answer} <bbox>"
            image = rng.choice((len(images) - 1, rng.randrange(len(images))))
            box = [1, 2, 30, 35]
            objects.append({"caption": words(rng, 1), "bbox": box, "bbox_type": "real", "image": image})
        turns.append((query, answer))
    *history, (query, response) = turns
    row: dict[str, Any] = {"query": query, "response": response, "history": [list(turn) for turn in history]}
    return row | {"images": images, "objects": objects or None}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("rows")
    for name, size in SIZES.items():
        write_png(folder / name, (10, 200, 30), size)
    rng = random.Random(11)
    return write_rows(folder / "rows.jsonl", [text_row(1), *(random_row(rng) for _ in range(50))])


def convert_with(source: str, out: Path, policy: str, **changes: Any) -> Shards:
    changes = {"on_bad": "skip", "max_bad_ratio": 1.0, "max_length": MAX_LENGTH} | changes
    convert([source], out, make_options(truncation=policy, **changes))
    return open_shards(out)


def by_line(shards: Shards) -> dict[int, Sample]:
    return {sample.source_line: sample for sample in shards}


@pytest.mark.parametrize("policy", ["drop-turns", "fewer-tiles"])
def test_every_kept_row_fits_and_is_whole(source: str, tmp_path: Path, policy: str) -> None:
    shards = convert_with(source, tmp_path / "out", policy)
    whole = by_line(convert_with(source, tmp_path / "whole", "reject", max_length=1_000_000))
    kept = by_line(convert_with(source, tmp_path / "kept", "reject"))
    context = shards.manifest.context_token_id
    repairs = {repair.source_line: repair for repair in read_repairs(tmp_path / "out" / "repairs.jsonl")}
    assert len(repairs) > 5
    assert verify(tmp_path / "out").problems == ()
    assert ledger(tmp_path / "out").ok
    for line, sample in by_line(shards).items():
        full = whole[line]
        assert len(sample.input_ids) <= MAX_LENGTH
        assert (sample.input_ids == context).sum() == 256 * sum(image.tiles for image in sample.images)
        assert sample.response == full.response
        trained = sample.labels[sample.labels != -100]
        assert (sample.input_ids[sample.labels != -100] == trained).all()
        assert all(0 <= box.image < len(sample.images) for box in sample.boxes)
        if line in kept:
            assert line not in repairs
            assert np.array_equal(sample.input_ids, full.input_ids)
            continue
        repair = repairs.pop(line)
        assert (repair.tokens_before, repair.tokens_after) == (len(full.input_ids), len(sample.input_ids))
        assert repair.tokens_before > MAX_LENGTH
        if policy == "fewer-tiles":
            assert all(image.tiles >= 1 for image in sample.images)
            assert len(sample.images) == len(full.images) > 0
            text = full.input_ids[full.input_ids != context]
            assert np.array_equal(sample.input_ids[sample.input_ids != context], text)
            assert np.array_equal(trained, full.labels[full.labels != -100])
        else:
            assert np.array_equal(trained, full.labels[full.labels != -100][-len(trained) :])
            expected = full.images[len(full.images) - len(sample.images) :]
            assert [(i.width, i.height, i.tiles) for i in sample.images] == [
                (i.width, i.height, i.tiles) for i in expected
            ]
            assert [box.caption for box in sample.boxes] == [
                box.caption for box in full.boxes[len(full.boxes) - len(sample.boxes) :]
            ]
            assert bool(sample.images) or not full.images
    assert not repairs


def test_lint_counts_as_conversion_does(source: str, tmp_path: Path) -> None:
    for policy in ("drop-turns", "fewer-tiles"):
        convert_with(source, tmp_path / policy, policy)
        entries = read_ledger(tmp_path / policy)
        options = {"model_type": "internvl2-1b", "model": TOKENIZER, "max_length": MAX_LENGTH, "level": 4}
        report = lint([source], LintConfig(truncation=policy, **options))  # type: ignore[arg-type]
        for code in ("L601", "L607"):
            found = [f.location.line for f in report.findings if f.code == code]
            assert found == [entry["source_line"] for entry in entries if code in entry["codes"]]
    report = lint([source], LintConfig(**options))  # type: ignore[arg-type]
    said = {f.location.line: f.help or "" for f in report.findings if f.code == "L601"}
    for policy in ("drop-turns", "fewer-tiles"):
        for repair in read_repairs(tmp_path / policy / "repairs.jsonl"):
            assert f"--truncation {policy}: {repair.tokens_after} tokens with" in said[repair.source_line]


def test_the_ledger_tells_both_lengths(source: str, tmp_path: Path) -> None:
    manifest = convert_with(source, tmp_path / "out", "drop-turns").manifest
    assert manifest.truncation == "drop-turns"
    repaired = [entry for entry in read_ledger(tmp_path / "out") if entry["outcome"] == "repaired"]
    assert len(repaired) == manifest.ledger.repaired == manifest.ledger.by_code["L607"]
    (story,) = why(tmp_path / "out", f"rows.jsonl:{repaired[0]['source_line']}")
    assert story.repair is not None
    assert story.sample is not None
    assert story.repair.tokens_before > MAX_LENGTH >= story.repair.tokens_after == len(story.sample.input_ids)
    assert story.findings[0].code == "L607"


def test_a_damaged_file_of_repairs_is_found(source: str, tmp_path: Path) -> None:
    convert_with(source, tmp_path / "out", "fewer-tiles")
    path = tmp_path / "out" / "repairs.jsonl"
    path.write_bytes(path.read_bytes().replace(b"L607", b"L608", 1))
    assert any("repairs.jsonl" in problem for problem in verify(tmp_path / "out").problems)
    assert any("repairs.jsonl" in problem for problem in ledger(tmp_path / "out").problems)


def test_without_long_rows_no_policy_changes_a_byte_but_its_name(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(5)])
    convert([source], tmp_path / "plain", make_options())
    convert([source], tmp_path / "other", make_options(truncation="drop-turns"))
    plain, other = read_files(tmp_path / "plain"), read_files(tmp_path / "other")
    changed = [name for name in plain if plain[name] != other.get(name)]
    assert (changed, plain.keys()) == (["manifest.json"], other.keys())
    manifests = [json.loads(files.pop("manifest.json")) for files in (plain, other)]
    assert {key for key in manifests[0] if manifests[0][key] != manifests[1][key]} == {"truncation", "checksum"}


def test_error_names_the_rows_and_writes_nothing(source: str, tmp_path: Path) -> None:
    with pytest.raises(
        LongRowsError, match=r"rows have more than --max-length 2200 tokens: rows\.jsonl:\d+, "
    ) as error:
        convert_with(source, tmp_path / "out", "error")
    assert str(error.value).count("rows.jsonl:") == 20
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_workers_make_no_difference(source: str, tmp_path: Path) -> None:
    convert_with(source, tmp_path / "one", "drop-turns")
    convert_with(source, tmp_path / "two", "drop-turns", jobs=2)
    assert read_files(tmp_path / "one") == read_files(tmp_path / "two")


def test_the_command_line_says_it(call: Callable[..., tuple[int, str, str]], source: str, tmp_path: Path) -> None:
    arguments = ["convert", source, "--for", "internvl2-1b", "--model", TOKENIZER, "--max-length", MAX_LENGTH]
    code, _, said = call(*arguments, "--out", tmp_path / "no", "--truncation", "error")
    assert code == 1
    assert "rows have more than --max-length 2200 tokens: rows.jsonl:" in said
    skip = ["--on-bad", "skip", "--max-bad-ratio", "1"]
    code, said, _ = call(*arguments, *skip, "--out", tmp_path / "out", "--truncation", "drop-turns")
    assert code == 0
    assert "repaired rows, with what was done: " in said
    line = next(row["source_line"] for row in read_ledger(tmp_path / "out") if row["outcome"] == "repaired")
    code, said, _ = call("ledger", tmp_path / "out", "--why", f"rows.jsonl:{line}")
    assert code == 0
    assert "L607 sample-shortened" in said
    assert " turns left out (--max-length 2200)" in said
    assert " tokens; --truncation drop-turns" in said
