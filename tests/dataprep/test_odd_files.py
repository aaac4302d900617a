"""Data files that are no ordinary files, or that may not be read: an error in one sentence, soon."""

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

import pytest

from dataprep import data_files, lint
from dataprep.errors import SourceError
from tests.dataprep.conversions import image_row, text_row, write_png, write_rows
from tests.dataprep.test_hostile_input import GOOD, codes_of, lint_bytes

pytestmark = pytest.mark.timeout(60)


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
