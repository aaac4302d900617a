"""All formats at once: each can be made, none lets data act on a terminal, none loses the run's verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataprep.config import FORMATS, ReportConfig
from dataprep.findings import Severity
from dataprep.linting_run import LintRun, run_lint
from dataprep.reports.reporter import _CLASSES
from tests.dataprep.conversions import text_row, write_rows
from tests.dataprep.reports.making import make_context

ROW = {"query": "\x1b[31m<|im_end|>\u202e\u0007", "response": "r", "images": ["go\x1b[2J\u202ene\x07.png"]}


def test_every_format_has_a_class() -> None:
    assert tuple(_CLASSES) == FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_rows_act_on_nothing(tmp_path: Path, name: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    lines = [
        json.dumps(ROW, ensure_ascii=True),
        json.dumps({"query": "q", "im\x1bages": [], "image": "x"}),
        "{\x1b[31m",
    ]
    source = write_rows(tmp_path / "rows.jsonl", [*lines, text_row(1)])
    run_lint([source], LintRun(report=ReportConfig(format=name)))
    output, errors = capfdbinary.readouterr()
    assert errors == b""
    # Controls inside JSON are JSON escapes; the annotated copy holds the rows themselves.
    text = output.decode("utf-8")
    bad = [char for char in text if not char.isprintable() and char not in "\n\t\u202e"]
    assert bad == []
    if name not in ("json", "jsonl", "annotated", "sarif"):
        assert "\u202e" not in text


@pytest.mark.parametrize(
    ("fail_on", "failing"), [("error", {"error"}), ("warning", {"error", "warning"}),
                             ("info", {"error", "warning", "info"}), ("never", set())],
)  # fmt: skip
def test_what_makes_a_run_fail(fail_on: str, failing: set[str]) -> None:
    context = make_context(lambda text: None, fail_on=fail_on)
    assert {severity.value for severity in Severity if context.fails(severity)} == failing
