"""Fixes of mutated rows: nothing else changes, no row is lost, what was fixed stays fixed, a second run has no work."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from dataprep.config import LintConfig
from dataprep.sources import read_rows
from tests.dataprep.test_fuzz_rows import make_lines

fixing = pytest.importorskip("dataprep.fixing", reason="fixes are not part of this checkout")


def check_fixes(folder: Path, lines: list[bytes], *, level: int, unsafe: bool) -> int:
    """Fix a file and hold the new file and the ledger against the old one; return how many rows were changed."""
    source = folder / "rows.jsonl"
    source.write_bytes(b"".join(line + b"\n" for line in lines).replace(b"\r", b""))
    before = source.read_bytes()
    config = LintConfig(level=level)
    baseline = fixing.Baseline()
    target = folder / "rows.fixed.jsonl"
    summary = fixing.fix_file(str(source), config, unsafe=unsafe, baseline=baseline, fixed_path=target)
    assert source.read_bytes() == before
    if summary.fixed_path is None:
        assert not target.exists()
        return 0

    entries: dict[int, list[Any]] = defaultdict(list)
    for line in summary.ledger_path.read_bytes().splitlines():
        entry = json.loads(line)
        entries[entry["line"]].append(entry)
        assert unsafe or entry["safe"]
    old = list(read_rows(str(source)))
    new = dict(enumerate(target.read_bytes().split(b"\n")[:-1], start=1))
    assert summary.rows == len(entries)
    assert len(new) == len(old) - summary.dropped

    fixed_line = 0
    for raw in old:
        done = entries.get(raw.location.line, [])
        if any(entry["fixed_line"] is None for entry in done):
            assert unsafe, "a safe fix leaves no row out"
            continue
        fixed_line += 1
        if not done:
            mark = b"\xef\xbb\xbf" if raw.starts_with_bom else b""
            assert new[fixed_line] == mark + raw.text
            continue
        assert {entry["fixed_line"] for entry in done} == {fixed_line}
        assert new[fixed_line] != raw.text or raw.starts_with_bom

    # What is left has no fix, so the new file is clean of what was fixed.
    again = fixing.fix_file(
        str(target), config, unsafe=unsafe, baseline=baseline, fixed_path=folder / "rows.again.jsonl"
    )
    assert again.fixed_path is None, (folder / "rows.again.jsonl.ledger").read_text()[:500]
    target.unlink()
    return summary.rows


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_mutated_rows_are_mended_once_and_for_all(tmp_path: Path, seed: int, unsafe: bool) -> None:
    assert check_fixes(tmp_path, make_lines(random.Random(seed), 200), level=1 + seed % 2, unsafe=unsafe) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("unsafe", [False, True])
def test_many_mutated_rows_are_mended_once_and_for_all(tmp_path: Path, unsafe: bool) -> None:
    generator = random.Random(77)
    for chunk in range(20):
        check_fixes(tmp_path, make_lines(generator, 1000), level=1 + chunk % 2, unsafe=unsafe)
