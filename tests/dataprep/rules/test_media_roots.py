from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataprep.config import LintConfig
from dataprep.linting import lint


def help_of(folder: Path, source: str) -> str | None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rows.jsonl"
    path.write_text(json.dumps({"query": "q", "response": "r", "images": [source]}) + "\n")
    (finding,) = lint([str(path)], LintConfig()).findings
    assert finding.code == "M301"
    return finding.help


def test_the_root_that_has_the_file_is_named(tmp_path: Path) -> None:
    root = tmp_path / "my data"
    (root / "images").mkdir(parents=True)
    (root / "images" / "1.png").touch()
    wanted = f"the file is there from {root}: --media-root '{root}'"
    assert help_of(root / "rows" / "deep", "images/1.png") == wanted


def test_the_working_folder_is_a_root_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "1.png").touch()
    monkeypatch.chdir(tmp_path / "work")
    assert f"--media-root {tmp_path / 'work'}" in (help_of(tmp_path / "rows", "1.png") or "")


@pytest.mark.parametrize("source", ["images/none.png", "x" * 5000 + "/1.png"])
def test_without_a_file_the_option_is_explained(tmp_path: Path, source: str) -> None:
    assert (help_of(tmp_path / "rows", source) or "").startswith("paths are relative to --media-root")
