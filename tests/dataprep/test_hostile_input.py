"""Whatever lies in a data file or where it points: lint ends soon, in little memory, with findings or one sentence."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dataprep import data_files, lint
from dataprep.cli import main
from dataprep.config import LintConfig
from dataprep.errors import SourceError
from dataprep.linting import LintReport
from tests.dataprep.conversions import image_row, text_row, write_png, write_rows

MIB = 1 << 20
GOOD = json.dumps(text_row(1)).encode() + b"\n"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; returns exit code, standard output and standard error."""

    def run_main(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dataprep", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return (int(caught.value.code or 0), *capfd.readouterr())

    return run_main


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


# Data files that are no ordinary files


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_a_file_of_zero_bytes_ends_quietly_with_its_count(tmp_path: Path, name: str) -> None:
    report = lint_bytes(tmp_path, b"", name)
    assert report.num_rows == len(report.findings) == (name == "rows.json")


@pytest.mark.parametrize("text", [b"", b"not packed at all", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd\x00"])
@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_packed_file_that_is_none_is_an_error(tmp_path: Path, text: bytes, ending: str) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        lint_bytes(tmp_path, text, f"rows.jsonl{ending}")


def make_odd_data_file(folder: Path, kind: str) -> str:
    path = folder / "rows.jsonl"
    if kind == "folder":
        path.mkdir()
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "links in a ring":
        (folder / "ring").symlink_to(path.name)
        path.symlink_to("ring")
    elif kind == "link to nothing":
        path.symlink_to("nowhere")
    elif kind == "device":
        return "/dev/zero"
    elif kind == "long path":
        return "x" * 5000
    elif kind == "long folder":
        return "/".join(["x" * 100] * 50)
    elif kind == "null byte":
        return f"{folder}/a\0b.jsonl"
    elif kind == "windows path":
        return "C:\\data\\rows.jsonl"
    elif kind == "file as a folder":
        path.write_bytes(GOOD)
        return f"{path}/more.jsonl"
    return str(path)


ODD_DATA_FILES = [
    "folder", "link to itself", "links in a ring", "link to nothing", "device", "long path", "long folder",
    "null byte", "windows path", "file as a folder", "missing",
]  # fmt: skip


@pytest.mark.parametrize("kind", ODD_DATA_FILES)
def test_a_data_file_that_is_none_is_one_sentence_and_exit_code_2(
    tmp_path: Path, call: Callable[..., tuple[int, str, str]], kind: str
) -> None:
    code, out, err = call("lint", make_odd_data_file(tmp_path, kind))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


# Root may read every file: the command is run once, so that all of Python it needs is loaded, and then as nobody.
AS_NOBODY = """
import os, sys
from dataprep.cli import main
good, other = sys.argv[1:]
sys.argv = ["dataprep", "lint", "--format", "concise", good]
try:
    main()
except SystemExit:
    pass
print("AS NOBODY", flush=True)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.argv[-1] = other
main()
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def lint_as_nobody(good: str, other: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-c", AS_NOBODY, good, other], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.partition("AS NOBODY\n")[2], done.stderr


@pytest.mark.parametrize("what", ["file", "folder around it", "folder"])
def test_a_data_file_that_may_not_be_read_is_an_error(open_folder: Path, what: str) -> None:
    good = write_rows(open_folder / "good.jsonl", [text_row(1)])
    (open_folder / "closed").mkdir()
    other = Path(write_rows(open_folder / "closed" / "rows.jsonl", [text_row(1)]))
    (other if what == "file" else other.parent).chmod(0)
    code, out, err = lint_as_nobody(good, str(other.parent if what == "folder" else other))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "Permission denied" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_pipe_that_nobody_writes_into_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., tuple[int, str, str]], ending: str
) -> None:
    monkeypatch.setattr(data_files, "WRITER_TIMEOUT_S", 0.2)
    path = tmp_path / f"rows.jsonl{ending}"
    os.mkfifo(path)
    threads = threading.active_count()
    code, out, err = call("lint", path)
    assert (code, out) == (2, "")
    assert err == f"error: {path}: a pipe that nobody writes into; start its writer first, or name a file\n"
    assert threading.active_count() == threads  # none is left waiting


@pytest.mark.parametrize(
    "form", ["lint <(cat rows.jsonl)", "lint /dev/stdin < <(cat rows.jsonl)", "lint - < rows.jsonl"]
)
def test_the_pipes_of_a_shell_are_data_files(tmp_path: Path, form: str) -> None:
    write_rows(tmp_path / "rows.jsonl", [text_row(1), text_row(2)])
    command = f"{sys.executable} -m dataprep.cli {form} --format json"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, cwd=tmp_path, env=environment)
    assert json.loads(done.stdout)["summary"]["rows"] == 2
    assert (done.returncode, done.stderr) == (0, b"")


def test_packed_rows_may_come_out_of_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(GOOD * 3),))
    writer.start()
    assert lint([str(path)]).num_rows == 3
    writer.join(10)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("link to itself", "a symbolic link that leads back to itself"),
        ("links in a ring", "a symbolic link that leads back to itself"),
        ("link to nothing", "a symbolic link to a file that is not there"),
        ("long path", "File name too long"),
    ],
)
def test_the_message_about_a_data_file_names_the_cause_and_is_short(
    tmp_path: Path, call: Callable[..., tuple[int, str, str]], kind: str, message: str
) -> None:
    _, _, err = call("lint", make_odd_data_file(tmp_path, kind))
    assert message in err
    assert len(err) < 500


def test_too_little_memory_is_one_sentence_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., tuple[int, str, str]]
) -> None:
    def fail(raw: object) -> None:
        raise MemoryError

    monkeypatch.setattr("dataprep.rules.runner.parse_row", fail)
    code, out, err = call("lint", write_rows(tmp_path / "rows.jsonl", [text_row(1)]))
    assert (code, out) == (2, "")
    assert err.startswith("error: there is not enough memory")
    assert err.count("\n") == 1


def test_a_data_file_may_be_a_pipe_that_somebody_writes_into(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    os.mkfifo(path)
    rows = b"".join(json.dumps(text_row(number)).encode() + b"\n" for number in range(3))
    writer = threading.Thread(target=path.write_bytes, args=(rows + b"{cut",))
    writer.start()
    report = lint([str(path)])
    writer.join(10)
    assert (report.num_rows, codes_of(report)) == (4, ["P001"])


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


def test_media_that_may_not_be_read_are_a_finding(open_folder: Path) -> None:
    for name in ("good", "closed"):
        write_png(open_folder / f"{name}.png", (1, 2, 3))
    (open_folder / "closed.png").chmod(0)
    good = write_rows(open_folder / "good.jsonl", [image_row("good.png"), image_row("missing.png"), {"a": 1}])
    bad = write_rows(open_folder / "bad.jsonl", [image_row("good.png"), image_row("closed.png")])
    code, out, err = lint_as_nobody(good, bad)
    assert (code, err) == (1, "")
    assert "bad.jsonl:2" in out
    assert "M302" in out
    assert "bad.jsonl:1" not in out
