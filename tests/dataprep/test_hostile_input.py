"""Whatever lies in a data file or where it points: lint ends soon, in little memory, with findings or one sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataprep import lint
from dataprep.config import LintConfig
from dataprep.linting import LintReport
from tests.dataprep.conversions import image_row, text_row, write_png, write_rows

MIB = 1 << 20
GOOD = json.dumps(text_row(1)).encode() + b"\n"

pytestmark = pytest.mark.timeout(60)


def codes_of(report: LintReport) -> list[str]:
    return [finding.code for finding in report.findings]


def lint_bytes(folder: Path, data: bytes, name: str = "rows.jsonl", **options: Any) -> LintReport:
    path = folder / name
    path.write_bytes(data)
    return lint([str(path)], LintConfig(**options))


# Rows that are strange in themselves


DEEP = 100_000


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("is_closed", [True, False])
def test_nesting_of_any_depth_is_a_finding_of_its_row(tmp_path: Path, opening: bytes, is_closed: bool) -> None:
    closing = {b"[": b"]", b'{"a":': b"}"}[opening]
    inner = opening * DEEP + b"1" + (closing * DEEP if is_closed else b"")
    report = lint_bytes(tmp_path, b'{"query": "q", "response": "r", "x": ' + inner + b"}\n" + inner + b"\n" + GOOD)
    assert report.num_rows == 3
    assert [finding.location.line for finding in report.findings] == [1, 2]
    assert set(codes_of(report)) <= {"P001", "P008"}


@pytest.mark.parametrize("is_closed", [True, False])
def test_nesting_of_any_depth_inside_an_array_is_a_finding(tmp_path: Path, is_closed: bool) -> None:
    inner = b"[" * DEEP + (b"]" * DEEP if is_closed else b"")
    report = lint_bytes(tmp_path, b"[" + GOOD.strip() + b"," + inner + (b"]" if is_closed else b""), "rows.json")
    assert report.num_rows == 2
    assert codes_of(report)
    assert set(codes_of(report)) <= {"P001", "P005", "P008", "P009"}


def test_nesting_of_any_depth_in_the_text_of_objects_is_a_finding(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    row = image_row("a.png") | {"objects": "[" * DEEP + "]" * DEEP}
    assert codes_of(lint_bytes(tmp_path, json.dumps(row).encode())) == ["G407"]


def test_ten_thousand_images_in_a_row(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    rows = [image_row(*["a.png"] * 10_000), image_row(*[f"gone-{n}.png" for n in range(10_000)]), text_row(1)]
    report = lint([write_rows(tmp_path / "rows.jsonl", rows)])
    assert report.num_rows == 3
    assert report.by_code["M301"].rows == 1
    assert report.num_rows_with_errors == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"query": "\xff\xfe", "response": "r"}', "P002"),
        (b'{"query": "\xc0\xaf", "response": "r"}', "P002"),
        (b'{"query": "\xed\xa0\x80", "response": "r"}', "P002"),
        (b'{"query": "\xf4\x90\x80\x80", "response": "r"}', "P002"),
        (b'{"query": "cut \xe4\xb8', "P002"),
        (b'{"query": "\\ud800", "response": "r"}', "P007"),
        (b'{"\\udfff": 1, "query": "q", "response": "r"}', "P007"),
        (b'{"query": "q", "response": "r", "images": ["\\ud800.png"]}', "P007"),
        (b'{"query": "\\ude00\\ud83d", "response": "r"}', "P007"),
        (b"\x00" * 200, "P001"),
        (b'{"query": "a\x00b", "response": "r"}', "P001"),
    ],
)
def test_bytes_that_are_no_text_are_a_finding_of_their_row(tmp_path: Path, text: bytes, code: str) -> None:
    report = lint_bytes(tmp_path, text + b"\n" + GOOD)
    assert [(finding.code, finding.location.line) for finding in report.findings] == [(code, 1)]
    assert report.num_rows == 2


def test_a_number_of_a_million_digits_is_a_finding(tmp_path: Path) -> None:
    report = lint_bytes(tmp_path, b'{"query": "q", "response": "r", "n": ' + b"7" * MIB + b"}\n" + GOOD)
    assert codes_of(report) == ["P004"]
    assert len(report.findings[0].message) < 1000


HUGE = 10**4000


def box_row(box: list[int], image: int) -> dict[str, object]:
    return image_row("a.png") | {"objects": [{"bbox": box, "bbox_type": "real", "image": image, "caption": "c"}]}


def test_messages_stay_short_whatever_the_value(tmp_path: Path) -> None:
    long = "x" * MIB
    write_png(tmp_path / "a.png", (1, 2, 3))
    rows = [
        {"query": "<image>q", "response": "r", "images": [long]},
        {"query": "q", "response": "r", "images": {long: long}},
        {"query": "q", "response": "r", "history": [[long]]},
        {"query": "q", "response": long, long: 1},
        {"messages": [{"role": long, "content": long}]},
        image_row("a.png") | {"objects": long},
        image_row("a.png") | {"objects": [{"bbox": [1, 2], "bbox_type": long, "image": 0, "caption": long}]},
        {long: long},
        {"query": "q", "response": f"<|{long}|>", "system": f"<{long}>"},
        box_row([0, 0, HUGE, HUGE], 0),
        box_row([HUGE, 0, 1, 1], 0),
        box_row([0, 0, 1, 1], HUGE),
    ]
    for finding in lint([write_rows(tmp_path / "rows.jsonl", rows)]).findings:
        assert len(finding.message) + len(finding.help or "") + len(finding.field) < 2000, finding.code


def test_control_characters_of_the_data_do_not_reach_the_terminal(
    tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    name = "\x1b]0;title\x07\x1b[2J\u202egnp.exe"
    path = write_rows(tmp_path / "rows.jsonl", [image_row(name), {"\x1b[31mquery": name}])
    code, out, err = call("lint", path)
    assert code == 1
    assert not {"\x1b", "\x07", "\u202e"} & set(out + err)


# Media that are no ordinary files


def make_odd_media(folder: Path, kind: str) -> str:
    path = folder / "odd.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a pipe":
        os.mkfifo(folder / "pipe")
        path.symlink_to("pipe")
    elif kind == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "folder that is a ring":
        (folder / "ring").symlink_to("ring")
        return "ring/odd.png"
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "many zeros":
        with path.open("wb") as file:
            file.truncate(64 * MIB)
    return {
        "zeros without end": "/dev/zero",
        "noise without end": "/dev/urandom",
        "own standard input": "/dev/stdin",
        "own memory": "/proc/self/mem",
        "long name": "x" * 5000,
        "long path": "/".join(["x" * 100] * 50),
        "null byte": "a\0b.png",
        "windows path": "C:\\pictures\\a.png",
        "windows share": "\\\\server\\share\\a.png",
        "file as a folder": "rows.jsonl/a.png",
        "dot": ".",
        "dots": "../" * 500,
        "tilde": "~/a.png",
        "wildcard": "*.png",
    }.get(kind, path.name)


ODD_MEDIA = [
    "folder", "pipe", "link to a pipe", "socket", "link to itself", "folder that is a ring", "empty",
    "many zeros", "zeros without end", "noise without end", "own standard input", "own memory",
    "long name", "long path", "null byte", "windows path", "windows share", "file as a folder", "dot", "dots",
    "tilde", "wildcard",
]  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("field", ["images", "videos"])
@pytest.mark.parametrize("kind", ODD_MEDIA)
def test_media_that_are_no_files_are_a_finding(tmp_path: Path, kind: str, field: str) -> None:
    row = {"query": f"<{field[:-1]}>q", "response": "r", field: [make_odd_media(tmp_path, kind)]}
    path = write_rows(tmp_path / "rows.jsonl", [row, text_row(1)])
    for is_outside_allowed in (False, True):
        report = lint([path], LintConfig(level=3, allow_outside_root=is_outside_allowed))
        assert report.num_rows == 2
        assert report.num_rows_with_errors == 1
        assert {finding.location.line for finding in report.findings} == {1}
        assert all(code[0] in "MV" for code in codes_of(report))


@pytest.mark.slow
def test_workers_end_with_odd_media_as_one_process_does(tmp_path: Path) -> None:
    rows = []
    for kind in ODD_MEDIA:
        (tmp_path / kind).mkdir()
        path = make_odd_media(tmp_path / kind, kind)
        path = path if path[0] in "/~C\\" else f"{kind}/{path}"
        rows += [{"query": "<image>q", "response": "r", "images": [path]}]
        rows += [{"query": "<video>q", "response": "r", "videos": [path]}]
    data = write_rows(tmp_path / "rows.jsonl", rows)
    one, two = (lint([data], LintConfig(level=3, jobs=jobs)) for jobs in (1, 2))
    assert one.num_rows_with_errors == len(rows)
    assert one == two
