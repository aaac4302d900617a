"""JPEGs of very many scans are refused before they are decoded."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from PIL import Image

from dataprep import lint
from dataprep.config import LintConfig
from dataprep.errors import MediaError
from dataprep.media.scans import MOST_SCANS, check_scans
from tests.dataprep.conversions import image_row, write_rows


def make_jpeg(side: int, *, more_scans: int = 0, is_closed: bool = True) -> bytes:
    """Return a progressive JPEG of one colour whose last scan comes again and again."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), 128).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()[:-2]
    return data + data[data.rindex(b"\xff\xda") :] * more_scans + b"\xff\xd9" * is_closed


def test_scans_are_counted_up_to_the_end_of_the_picture() -> None:
    once = make_jpeg(64).count(b"\xff\xda")
    check_scans(make_jpeg(64, more_scans=MOST_SCANS - once), "a.jpg")
    with pytest.raises(MediaError, match="more than 100 scans"):
        check_scans(make_jpeg(64, more_scans=MOST_SCANS - once + 1), "a.jpg")
    check_scans(make_jpeg(64) + b"\xff\xda" * 500, "a.jpg")  # something else behind the picture
    comment = b"\xff\xfe" + (500 * 2 + 2).to_bytes(2, "big") + b"\xff\xda" * 500
    check_scans(make_jpeg(64)[:2] + comment + make_jpeg(64)[2:], "a.jpg")
    for odd in (b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xda", b"\x89PNG" + b"\xff\xda" * 500):
        check_scans(odd, "a.jpg")


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("level", "is_closed"), [(2, False), (3, True), (3, False)])
def test_a_file_that_decodes_for_minutes_is_a_finding_at_once(tmp_path: Path, level: int, is_closed: bool) -> None:
    (tmp_path / "a.jpg").write_bytes(make_jpeg(3000, more_scans=10_000, is_closed=is_closed))
    start = time.monotonic()
    report = lint([write_rows(tmp_path / "rows.jsonl", [image_row("a.jpg")])], LintConfig(level=level))
    assert time.monotonic() - start < 5
    assert any("more than 100 scans" in finding.message for finding in report.findings)
