"""What a conversion prints for people."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from dataprep import convert
from dataprep.conversion import BadRowsError
from dataprep.reports.conversion import print_bad_rows, print_conversion
from tests.dataprep.conversions import make_options, text_row, write_rows


def test_bad_rows_are_a_table_with_reasons() -> None:
    reasons = {"P001": (1, "rows.jsonl:9: [red]Expecting value"), "M301": (1200, "rows.jsonl:1: no\x1b such file")}
    stream = io.StringIO()
    print_bad_rows(BadRowsError(5000, 1201, reasons, "error", 0.05), Console(file=stream, width=120))
    text = stream.getvalue()
    assert text.index("M301") < text.index("P001")
    assert "1,200" in text
    assert "image-file-missing" in text
    assert "[red]Expecting value" in text
    assert "no\\x1b such file" in text


def test_a_conversion_says_its_totals_and_the_next_command(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [*(text_row(number) for number in range(20)), "no json"])
    out = tmp_path / "my shards"
    manifest = convert([source], out, make_options(on_bad="skip", split="held_out=0.4"))
    stream = io.StringIO()
    print_conversion(manifest, str(out), Console(file=stream, width=100))
    text = stream.getvalue()
    assert text.startswith("21 rows in = 20 converted + 0 repaired + 1 rejected + 0 duplicate\n")
    assert "held_out" in text
    assert f"rejected rows, with their findings: {out}/rejects.jsonl\n" in text
    assert text.endswith(f"Next: dataprep train '{out}' --model DIR --out runs/a\n")
