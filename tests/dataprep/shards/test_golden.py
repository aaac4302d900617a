"""Shards of format version 1 say for ever what they said when they were written."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dataprep import ledger, open_shards
from dataprep.reports.ledger import entry_object, ledger_object
from dataprep.shards.ledger import entries

GOLDEN = Path(__file__).parent / "golden_v1"


def read_all(path: Path) -> dict[str, Any]:
    """Everything that a reader gives, as JSON-ready values."""
    shards = open_shards(path, check=True)
    samples = []
    for sample in shards:
        arrays = {"input_ids": sample.input_ids.tolist(), "labels": sample.labels.tolist()}
        samples.append(asdict(sample) | arrays | {"row_hash": sample.row_hash.hex()})
    media = []
    for number in range(shards.num_media):
        medium = shards.media(number)
        assert medium.hash is not None
        media.append(asdict(medium) | {"hash": medium.hash.hex(), "bytes": shards.read_media(medium).hex()})
    columns = ("length", "num_trained_tokens", "source_line", "tiles")
    return {
        "samples": samples,
        "media": media,
        "columns": {name: shards.column(name).tolist() for name in columns},
        "splits": {name: shards.rows(name).tolist() for name in shards.manifest.splits},
        "ledger": [entry_object(entry) for entry in entries(path)],
        "totals": ledger_object(ledger(path)),
    }


def test_version_1_says_what_it_said() -> None:
    expected = json.loads(GOLDEN.with_suffix(".json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(read_all(GOLDEN))) == expected
    assert len(expected["samples"]) == 6
