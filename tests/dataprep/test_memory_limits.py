"""Lint holds a bounded part of its input in memory, whatever the size of the file, of a line or of the report."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dataprep.conversions import text_row

MIB = 1 << 20
GOOD = json.dumps(text_row(1)).encode() + b"\n"

pytestmark = pytest.mark.timeout(60)


# The new process limits and measures itself: a limit set before it begins, and the peak that its parent is told,
# would count what the parent holds.
LIMITED = """
import resource, runpy, sys
most, peak_path = int(sys.argv.pop(1)), sys.argv.pop(1)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    runpy.run_module("dataprep.cli", run_name="__main__", alter_sys=True)
finally:
    with open("/proc/self/status") as status, open(peak_path, "w") as peak:
        peak.write(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def stream_into_lint(
    chunks: Iterator[bytes], folder: Path, *, most_bytes: int, options: tuple[str, ...] = ()
) -> tuple[Any, int]:
    """Lint standard input in a process of its own; returns its JSON report and its peak of resident memory in bytes."""
    peak = folder / "peak"
    command = [sys.executable, "-c", LIMITED, str(most_bytes), str(peak), "lint", "-", "--format", "json", *options]
    with (folder / "report.json").open("wb") as report:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=report, stderr=subprocess.DEVNULL)
        assert process.stdin is not None
        for chunk in chunks:
            process.stdin.write(chunk)
        process.stdin.close()
        assert process.wait() in (0, 1)
    return json.loads((folder / "report.json").read_bytes()), int(peak.read_text()) * 1024


def make_chunk(row_bytes: int, *, separator: bytes = b"\n") -> tuple[bytes, int]:
    """Return about a mebibyte of rows, one in ten of them without an answer, and how many there are."""
    rows = []
    for number in range(max(1, MIB // row_bytes)):
        row = {"query": f"What is {number}?" + "w " * (row_bytes // 2), "response": "" if number % 10 == 0 else "It."}
        rows.append(json.dumps(row).encode())
    return separator.join(rows) + separator, len(rows)


def test_memory_does_not_grow_with_a_stream(tmp_path: Path) -> None:
    chunk, count = make_chunk(16_000)
    report, peak = stream_into_lint(
        (chunk for _ in range(100)), tmp_path, most_bytes=2048 * MIB, options=("--level", "1")
    )
    assert report["summary"]["rows"] == 100 * count
    assert peak < 300 * MIB


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("row_bytes", "times"), [(64_000, 2500), (2_000, 600), (100, 100)])
@pytest.mark.parametrize("form", ["lines", "array"])
def test_memory_does_not_grow_with_a_stream_of_gigabytes(tmp_path: Path, form: str, row_bytes: int, times: int) -> None:
    separator = b"\n" if form == "lines" else b","
    chunk, count = make_chunk(row_bytes, separator=separator)

    def chunks() -> Iterator[bytes]:
        if form == "array":
            yield b"["
        for _ in range(times):
            yield chunk
        if form == "array":
            yield GOOD.strip() + b"]"

    report, peak = stream_into_lint(chunks(), tmp_path, most_bytes=2048 * MIB, options=("--level", "1"))
    assert report["summary"]["rows"] == times * count + (form == "array")
    assert peak < 400 * MIB


@pytest.mark.parametrize("size", [8 * MIB, pytest.param(200 * MIB, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "shape",
    [
        "text",
        "cut text",
        "escapes",
        "number",
        "path",
        "text in an array",
    ],
)
@pytest.mark.timeout(240)
def test_one_line_of_any_length_takes_a_bounded_multiple_of_its_size(tmp_path: Path, size: int, shape: str) -> None:
    head, tail = b'{"query": "', b'", "response": "r"}'
    filler = {"escapes": b"\\u00e9", "number": b"7"}.get(shape, b"a")
    if shape == "cut text":
        tail = b""
    elif shape == "number":
        head, tail = b'{"query": "q", "response": "r", "n": ', b"}"
    elif shape == "path":
        head, tail = b'{"query": "<image>q", "response": "r", "images": ["', b'"]}'
    elif shape == "text in an array":
        head, tail = b"[" + head, tail + b"]"
    block = filler * (MIB // len(filler))

    def chunks() -> Iterator[bytes]:
        yield head
        yield from (block for _ in range(size // MIB))
        yield tail

    report, peak = stream_into_lint(chunks(), tmp_path, most_bytes=4096 * MIB)
    assert report["summary"]["rows"] == 1
    assert bool(report["findings"]) is (shape in ("cut text", "number", "path"))
    assert peak < 200 * MIB + 8 * size
