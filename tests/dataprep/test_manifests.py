"""The manifest of a conversion: options as given, fingerprints of what decides about tokens, totals that add up."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from dataprep import __version__, convert, open_shards
from dataprep.manifests import fingerprints
from dataprep.rules.measuring import make_encoder_from
from dataprep.shards.manifest import Fingerprints
from schemas import load_schema
from tests.dataprep.conversions import GOLDENS, image_row, make_options, read_ledger, text_row, write_png, write_rows

FIELDS = ("tokenizer", "template", "tiling", "boxes", "labels", "system")


def take(**changes: Any) -> Fingerprints:
    return fingerprints(make_encoder_from(make_options(**changes)))


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({}, set()),
        ({"max_length": 99, "exif": "apply", "special_text": "keep", "media": "link"}, set()),
        ({"system": "Be brief."}, {"system"}),
        ({"system": ""}, {"system"}),
        ({"max_num": 6}, {"tiling"}),
        ({"box_style": "internvl"}, {"boxes"}),
        ({"model": GOLDENS / "tokenizer_bos"}, {"tokenizer"}),
        ({"model_type": "internvl2-8b"}, set()),
        ({"model_type": "internvl2-4b"}, {"template"}),
        ({"model_type": "internvl-chat-v1_5"}, {"template", "boxes", "system"}),
    ],
    ids=str,
)
def test_a_fingerprint_changes_with_what_it_stands_for(changes: dict[str, Any], changed: set[str]) -> None:
    before, after = take(), take(**changes)
    assert {name for name in FIELDS if getattr(before, name) != getattr(after, name)} == changed
    assert (before.all != after.all) == bool(changed)


def test_naming_the_default_system_prompt_changes_nothing() -> None:
    default = make_encoder_from(make_options()).settings.template.default_system
    assert take(system=default) == take()


def test_the_manifest_says_how_the_shards_were_made(tmp_path: Path) -> None:
    write_png(tmp_path / "media" / "a.png", (1, 2, 3), (48, 24))
    rows = [image_row("a.png"), *(text_row(10**number) for number in range(9)), "no json"]
    source = write_rows(tmp_path / "data" / "rows.jsonl", rows)
    options = make_options(
        media="link", media_root=tmp_path / "media", max_num=6, max_length=5000, system="Be brief.",
        box_style="internvl", missing_image_tag="first", video_frames=4, on_bad="skip", max_bad_ratio=0.5,
        exif="apply", special_text="keep", split="held_out=0.5",
    )  # fmt: skip
    manifest = convert([source], tmp_path / "out", options)
    jsonschema.Draft202012Validator(load_schema("manifest")).validate(json.loads(manifest.to_json()))
    given = {name: getattr(manifest, name) for name in ("max_num", "max_length", "system", "box_style", "video_frames")}
    assert given == {
        "max_num": 6, "max_length": 5000, "system": "Be brief.", "box_style": "internvl", "video_frames": 4,
    }  # fmt: skip
    assert (manifest.missing_image_tag, manifest.special_text, manifest.exif) == ("first", "keep", "apply")
    assert (manifest.tool_version, manifest.model_type, manifest.box_family) == (
        __version__,
        "internvl2-1b",
        "internvl2",
    )
    assert (manifest.media_mode, manifest.media_root) == ("link", str((tmp_path / "media").resolve()))
    assert manifest.source_root == str((tmp_path / "data").resolve())
    (entry,) = manifest.sources
    data = Path(source).read_bytes()
    assert (entry.path, entry.bytes, entry.rows, entry.split) == ("rows.jsonl", len(data), 11, "train")
    assert entry.sha256 == hashlib.sha256(data).hexdigest()


def test_the_totals_are_those_of_the_shards(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3), (48, 24))
    rows = [image_row("a.png"), *(text_row(10**number) for number in range(20)), "no json", image_row("gone.png")]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    options = make_options(on_bad="skip", max_bad_ratio=0.5, split="val=0.4")
    manifest = convert([source], tmp_path / "out", options)
    shards = open_shards(tmp_path / "out")
    lengths = shards.column("length")
    assert list(manifest.splits) == ["train", "val"]
    for name, split in manifest.splits.items():
        mine = shards.rows(name)
        assert (split.rows, split.tokens, split.tiles) == (
            len(mine),
            int(lengths[mine].sum()),
            int(shards.column("tiles")[mine].sum()),
        )
        assert split.trained_tokens == int(shards.column("num_trained_tokens")[mine].sum())
    stats = manifest.lengths
    assert (stats.min, stats.max) == (lengths.min(), lengths.max())
    assert stats.mean == pytest.approx(float(np.mean(lengths)), abs=0.005)
    ledger = manifest.ledger
    assert (ledger.rows_in, ledger.converted, ledger.rejected) == (23, 21, 2)
    assert (ledger.repaired, ledger.duplicate) == (0, 0)
    assert ledger.by_code == {"L604": 1, "M301": 1, "P001": 1}
    assert len(read_ledger(tmp_path / "out")) == 23


def test_the_token_ids_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    manifest = convert([write_rows(tmp_path / "rows.jsonl", [image_row("a.png")])], tmp_path / "out", make_options())
    sample = open_shards(tmp_path / "out")[0]
    assert sample.labels[-1] == sample.input_ids[-1] == manifest.eos_token_id
    assert int((sample.input_ids == manifest.context_token_id).sum()) == manifest.tokens_per_tile


def test_a_file_of_bad_rows_alone_makes_a_manifest_without_splits(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", ["no json"])
    manifest = convert([source], tmp_path / "out", make_options(on_bad="skip", max_bad_ratio=1.0))
    assert (manifest.splits, manifest.sample_shards, manifest.media_shards) == ({}, (), ())
    assert manifest.lengths.max == 0
