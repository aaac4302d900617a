"""What the rules say of real files: nothing of clean ones that would reject a row, and what is wrong with odd ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataprep.findings import Location, Severity
from dataprep.media.index import MediaIndex
from dataprep.rules.base import Level, RuleContext
from dataprep.rules.runner import UP_TO_MEDIA, RowChecker
from dataprep.sources import RawRow, read_rows

ODD_FILES = ("missing", "bad", "nasty", "EXPECTED", "FACTS")
# What has to be found in these real files, besides what is said of others.
EXPECTED = {
    "pillow/truncated_jpeg.jpg": "M318",
    "pillow/pil_sample_cmyk.jpg": "M311",
    "pillow/hopper_bad_exif.jpg": "M310",
    "pillow/broken_data_stream.png": "M310",
    "pillow/decompression_bomb.gif": "M306",
    "pillow/zero_width.gif": "M302",
    "pillow/hopper.gif": "M313",
    "pillow/dispose_bgnd.gif": "M314",
    "pillow/apng__delay.png": "M314",
    "pillow/apng__mode_16bit.png": "M312",
    "pillow/iss634.webp": "M314",
    "pillow/transparent.png": "M315",
    "pillow/transparent.webp": "M315",
    "pillow/l_trns.png": "M315",
    "pillow/16bit.cropped.tif": "M312",
    "pillow/hopper_orientation_6.jpg": "M308",
    "pillow/hopper_orientation_6.webp": "M308",
    "image-rs/basi0g16.png": "M312",
    "image-rs/basn6a16.png": "M315",
    "misc/broken.jpg": "M318",
    "misc/empty_3.jpeg": "M303",
    "misc/lfs_pointer_portrait_input.png": "M307",
    "misc/gray_alpha.png": "M315",
    "misc/color_exif.jpg": "M308",
    "misc/parallel_progress.gif": "M314",
    "wrong_ext/multiple_items.png": "M317",
    "wrong_ext/cartoon_brave_person.jpeg": "M317",
    "wrong_ext/discord_qr.jpg": "M317",
    "heif/corrupted.heic": "M302",
}
PLAIN = (
    "pillow/flower.jpg", "pillow/pil_sample_rgb.jpg", "pillow/hopper_16bit_qtables.jpg", "pillow/hopper_gray.jpg",
    "pillow/icc-after-SOF.jpg", "pillow/truncated_app14.jpg", "image-rs/cat.jpg", "image-rs/multi-color.webp",
    "exif_orientation/Landscape_1.jpg",
)  # fmt: skip


def checker(root: Path) -> RowChecker:
    return RowChecker(RuleContext(), media=MediaIndex(root), levels=UP_TO_MEDIA | {Level.PIXELS})


def test_clean_files_have_no_errors(real_rows: Path) -> None:
    rows = checker(real_rows.parent)
    checked = 0
    for path in sorted(real_rows.glob("*.json*")):
        if any(word in path.name for word in ODD_FILES):
            continue
        # Rows of one file differ little: each picture once is enough here.
        seen: set[object] = set()
        for raw in read_rows(str(path)):
            value = json.loads(raw.text)
            key = json.dumps(value.get("images") or value.get("videos") or value["query"][:40])
            if key in seen:
                continue
            seen.add(key)
            checked += 1
            errors = [f"{f.location}: {f.code} {f.message}" for f in rows.check(raw).findings if f.severity == "error"]
            assert not errors
    assert checked > 500


@pytest.mark.parametrize("name", [*EXPECTED, *PLAIN])
def test_odd_files_are_known_for_what_they_are(real_rows: Path, name: str) -> None:
    row = {"query": "<image>q", "response": "r", "images": [name]}
    raw = RawRow(Location("rows.jsonl", 1), json.dumps(row).encode())
    findings = checker(real_rows.parent / "nasty").check(raw).findings
    codes = {finding.code for finding in findings}
    if name in EXPECTED:
        assert EXPECTED[name] in codes
    else:
        assert not codes
    assert sum(finding.severity is Severity.ERROR for finding in findings) <= 1, "one cause, one error"


def test_odd_videos_are_read_or_known_for_what_they_are(real_rows: Path) -> None:
    rows = checker(real_rows.parent)
    outcomes = [rows.check(raw) for raw in read_rows(str(real_rows / "rows_nasty_video.jsonl"))]
    assert len(outcomes) == 7
    assert not [finding.message for outcome in outcomes for finding in outcome.findings if finding.code == "V352"]
