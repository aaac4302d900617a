"""The command line as a person meets it: exit codes, streams, option names, and one clear sentence per error."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

import dataprep
from dataprep import open_shards, verify
from dataprep.cli import _dashes, app, main
from dataprep.rules.table import RULES
from schemas import load_schema
from tests.dataprep.conversions import TOKENIZER, image_row, read_files, text_row, write_png, write_rows

COMMANDS = ("lint", "convert", "verify", "ledger", "diff", "explain", "rules")
MODEL = ["--for", "internvl2-1b", "--model", str(TOKENIZER)]


def run(*arguments: object, input: str | None = None, before: Callable[[], None] | None = None) -> Any:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "dataprep.cli", *map(str, arguments)]
    environment = os.environ | {"PYTHONWARNINGS": "error", "COLUMNS": "100"}
    return subprocess.run(
        command,
        input=input,
        preexec_fn=before,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; returns exit code, standard output and standard error."""

    def run_main(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dataprep", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        return (int(code or 0), *capfd.readouterr())

    return run_main


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def good(tmp_path: Path) -> str:
    return write_rows(tmp_path / "good.jsonl", [text_row(number) for number in range(4)])


@pytest.fixture
def bad(tmp_path: Path) -> str:
    return write_rows(tmp_path / "bad.jsonl", [text_row(1), '{"query": "cut', image_row("gone.png"), text_row(2)])


# In a process of its own


def test_lint_of_clean_data_exits_0(good: str) -> None:
    done = run("lint", good)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{good}: 4 rows (4 native)\n")


def test_lint_of_bad_data_exits_1_and_prints_json_alone(bad: str) -> None:
    done = run("lint", bad, "--format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    jsonschema.Draft202012Validator(load_schema("report")).validate(report)
    assert report["summary"]["by_code"] == {"M301": 1, "P001": 1}


def test_lint_reads_standard_input() -> None:
    done = run("lint", "-", input=json.dumps(text_row(1)) + "\n{cut\n")
    assert done.returncode == 1
    assert "-:2: P001" in done.stdout


def test_the_whole_road_from_rows_to_checked_shards(bad: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused = run("convert", bad, *MODEL, "--out", out)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "M301" in refused.stderr
    assert "P001" in refused.stderr
    last = refused.stderr.splitlines()[-1]
    offer = "--on-bad skip --max-bad-ratio 0.5"
    assert last == f"error: 2 of 4 rows are bad (50.0%); mend them, or accept the loss with: {offer}"
    assert not (out / "manifest.json").exists()
    accepted = run("convert", bad, *MODEL, "--out", out, *offer.split())
    assert accepted.returncode == 0
    assert accepted.stderr.startswith("The shards will take about ")
    assert accepted.stderr.count("\n") == 1
    assert accepted.stdout.startswith("4 rows in = 2 converted + 0 repaired + 2 rejected + 0 duplicate\n")
    checked = run("verify", out)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "4 files checked: all is well\n", "")
    assert len(open_shards(out)) == 2


def test_a_full_disk_is_one_sentence_and_leaves_no_manifest(tmp_path: Path) -> None:
    rows = [image_row(f"{number}.png") for number in range(20)]
    for number in range(20):
        noise = bytes((number * value * value) % 256 for value in range(30_000))
        (tmp_path / f"{number}.png").write_bytes(write_png(tmp_path / "a.png", (number, 2, 3)).read_bytes() + noise)
    source = write_rows(tmp_path / "rows.jsonl", rows)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = run("convert", source, *MODEL, "--out", tmp_path / "out", "--no-cache", before=limit)
    assert done.returncode == 2
    assert done.stdout == ""
    size, error = done.stderr.splitlines()
    assert size.startswith("The shards will take about ")
    assert re.fullmatch(r"error: cannot write .*media-00000\.arrow: File too large; .*", error), error
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not list((tmp_path / "out").glob("*.arrow*"))
    assert run("convert", source, *MODEL, "--out", tmp_path / "out").returncode == 0
    assert verify(tmp_path / "out").ok


def test_a_killed_worker_is_one_sentence(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(9)])
    program = (
        "import multiprocessing.process as p, os, signal, sys\n"
        "from dataprep.cli import main\n"
        "start = p.BaseProcess.start\n"
        "def start_and_kill(self):\n"
        "    start(self)\n"
        "    os.kill(self.pid, signal.SIGKILL)\n"
        "p.BaseProcess.start = start_and_kill\n"
        f"sys.argv = ['dataprep', 'convert', {source!r}, *{MODEL!r}, '--out', {str(tmp_path / 'out')!r}, '-j', '2']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r"error: a worker process died .*; run the command again with fewer jobs.*\n", done.stderr)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    rows = [image_row(f"gone{number}.png") for number in range(3000)]
    source = write_rows(tmp_path / "rows.jsonl", rows)
    command = f'"{sys.executable}" -m dataprep.cli lint "{source}" --format json | head -c 10'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert done.stdout.startswith("{")


def test_output_survives_a_terminal_that_knows_ascii_alone(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "数据.jsonl", [image_row("图.png")])
    command = [sys.executable, "-m", "dataprep.cli", "lint", source]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == 1
    assert "M301" in done.stdout
    assert "Traceback" not in done.stderr


# In this process


def test_convert_prints_the_manifest_as_json(call: Call, good: str, tmp_path: Path) -> None:
    code, stdout, stderr = call("convert", good, *MODEL, "--out", tmp_path / "out", "--format", "json")
    assert (code, stderr) == (0, "")
    assert stdout == (tmp_path / "out" / "manifest.json").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator(load_schema("manifest")).validate(json.loads(stdout))


def test_option_names_may_have_underscores(call: Call, tmp_path: Path) -> None:
    write_png(tmp_path / "media_root" / "a_b.png", (1, 2, 3))
    source = write_rows(tmp_path / "my_rows.jsonl", [image_row("a_b.png")])
    root = tmp_path / "media_root"
    for style in ("_", "-"):
        words = [
            f"--media{style}root={root}", f"--max{style}length", "400", f"--box{style}style", "internvl",
            f"--on{style}bad", "skip", f"--max{style}bad{style}ratio", "0.5", f"--missing{style}image{style}tag=first",
            f"--special{style}text", "keep", f"--video{style}frames", "4", f"--max{style}num", "6",
            f"--allow{style}outside{style}root",
        ]  # fmt: skip
        code, _, stderr = call("convert", source, *MODEL, "--out", tmp_path / f"out{style}", *words)
        assert (code, stderr.count("\n")) == (0, 1), stderr
    assert read_files(tmp_path / "out_") == read_files(tmp_path / "out-")
    manifest = open_shards(tmp_path / "out_").manifest
    assert (manifest.max_length, manifest.max_num, manifest.box_style, manifest.video_frames) == (400, 6, "internvl", 4)
    assert (manifest.missing_image_tag, manifest.special_text) == ("first", "keep")


def test_only_names_of_options_change() -> None:
    given = ["lint", "a_b.jsonl", "--media_root", "c_d", "--system=e_f", "-j", "2", "--", "--g_h"]
    assert _dashes(given) == ["lint", "a_b.jsonl", "--media-root", "c_d", "--system=e_f", "-j", "2", "--", "--g_h"]


def test_val_files_and_a_drawn_split(call: Call, good: str, tmp_path: Path) -> None:
    held = [write_rows(tmp_path / f"val{number}.jsonl", [text_row(50 + number)]) for number in range(2)]
    arguments = ["convert", good, *MODEL, "--out", tmp_path / "out", "--val", held[0], "--val", held[1]]
    code, _, stderr = call(*arguments, "--split", "test=0.5")
    assert (code, stderr.count("\n")) == (0, 1), stderr
    splits = open_shards(tmp_path / "out").manifest.splits
    assert splits["val"].rows == 2
    assert sum(split.rows for split in splits.values()) == 6


def test_verify_finds_a_changed_bit(call: Call, good: str, tmp_path: Path) -> None:
    call("convert", good, *MODEL, "--out", tmp_path / "out")
    path = tmp_path / "out" / "samples-00000.arrow"
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    code, stdout, _ = call("verify", tmp_path / "out", "--format", "json")
    report = json.loads(stdout)
    assert (code, report["ok"]) == (1, False)
    assert report["problems"][0].startswith("samples-00000.arrow: ")
    code, stdout, _ = call("verify", tmp_path / "out")
    assert code == 1
    assert stdout.endswith("NOT what was written\n")


def test_verify_of_an_unfinished_conversion_exits_1(call: Call, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    code, stdout, stderr = call("verify", tmp_path / "out")
    assert (code, stderr) == (1, "")
    assert "manifest.json" in stdout


def test_explain_prints_a_page(call: Call) -> None:
    code, stdout, stderr = call("explain", "g402")
    assert (code, stderr) == (0, "")
    assert stdout.startswith("# G402 box-outside-image\n")
    code, stdout, stderr = call("explain", "G40")
    assert (code, stdout) == (2, "")
    assert stderr.startswith("error: there is no rule 'G40'; did you mean")


def test_rules_are_listed(call: Call) -> None:
    code, stdout, stderr = call("rules", "--format", "json")
    assert (code, stderr) == (0, "")
    assert [entry["code"] for entry in json.loads(stdout)] == list(RULES)
    code, stdout, _ = call("rules")
    assert code == 0
    assert [line[:4] for line in stdout.splitlines()] == list(RULES)


def errors(tmp_path: Path) -> dict[str, tuple[list[object], str]]:
    good = write_rows(tmp_path / "good.jsonl", [text_row(1)])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("dear")
    (tmp_path / "empty").mkdir()
    plain = tmp_path / "plain"
    plain.mkdir()
    vocabulary = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "decoder": None,
                  "truncation": None, "padding": None, "post_processor": None,
                  "model": {"type": "WordLevel", "vocab": {"a": 0, "[UNK]": 1}, "unk_token": "[UNK]"}}  # fmt: skip
    (plain / "tokenizer.json").write_text(json.dumps(vocabulary))
    convert = ["convert", good, "--out", tmp_path / "out"]
    return {
        "missing file": (["lint", tmp_path / "gone.jsonl"], r"gone\.jsonl: no such file; check the path"),
        "folder without data": (["lint", tmp_path / "empty"], "a folder without .json or .jsonl files"),
        "unknown model type": (["lint", good, "--for", "internvl2-8"], r"did you mean .*internvl2-8b"),
        "no model type": ([*convert, "--model", TOKENIZER], "no model type; add --for"),
        "no model": ([*convert, "--for", "internvl2-1b"], "no model folder; add --model"),
        "model folder missing": ([*convert, "--for", "internvl2-1b", "--model", tmp_path / "gone"], "gone"),
        "no tokenizer": ([*convert, "--for", "internvl2-1b", "--model", tmp_path / "empty"], r"tokenizer\.json"),
        "no image tokens": ([*convert, "--for", "internvl2-1b", "--model", plain], r"<img>|<IMG_CONTEXT>"),
        "something else": (["convert", good, *MODEL, "--out", tmp_path / "full"], "full holds something else; choose"),
        "out is a file": (["convert", good, *MODEL, "--out", good], r"good\.jsonl cannot be used for output"),
        "media root missing": (
            [*convert, *MODEL, "--media-root", tmp_path / "gone"],
            "--media-root .*gone is no folder",
        ),
        "bad split": ([*convert, *MODEL, "--split", "val"], "--split is 'val', expected a name and a share such as"),
        "split of all": ([*convert, *MODEL, "--split", "val=1.5"], "--split is 'val=1.5'"),
        "bad ratio": ([*convert, *MODEL, "--max-bad-ratio", "2"], "--max-bad-ratio is 2.0, it must be between 0 and 1"),
        "bad length": ([*convert, *MODEL, "--max-length", "0"], "--max-length is 0, it must be at least 1"),
        "bad tiles": ([*convert, *MODEL, "--max-num", "0"], "--max-num is 0, it must be at least 1"),
        "named twice": ([*convert, *MODEL, "--val", good], r"good\.jsonl is named twice"),
        "val missing": ([*convert, *MODEL, "--val", tmp_path / "gone.jsonl"], r"gone\.jsonl: no such file"),
    }


@pytest.mark.parametrize("name", [
    "missing file", "folder without data", "unknown model type", "no model type", "no model", "model folder missing",
    "no tokenizer", "no image tokens", "something else", "out is a file", "media root missing", "bad split",
    "split of all", "bad ratio", "bad length", "bad tiles", "named twice", "val missing",
])  # fmt: skip
def test_an_error_is_one_sentence_with_exit_code_2(call: Call, tmp_path: Path, name: str) -> None:
    arguments, message = errors(tmp_path)[name]
    code, stdout, stderr = call(*arguments)
    assert (code, stdout) == (2, ""), stderr
    assert re.match(f"error: .*({message})", stderr), stderr
    assert stderr.count("\n") == 1
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [["lint", "x", "--media", "link"], ["convert", "x"], ["convert", "x", "--out", "y", "--media", "copy"], ["verify"]],
)
def test_a_wrong_call_exits_2_and_says_so(call: Call, arguments: list[str]) -> None:
    code, stdout, stderr = call(*arguments)
    assert (code, stdout) == (2, "")
    assert "Error: " in stderr


def test_errors_show_hostile_names_harmlessly(call: Call, tmp_path: Path) -> None:
    code, _, stderr = call("lint", tmp_path / "a\x1b[31m\nb.jsonl")
    assert code == 2
    assert r"a\x1b[31m\nb.jsonl: no such file" in stderr


def test_text_output_goes_to_stdout_and_none_of_it_to_stderr(call: Call, bad: str) -> None:
    code, stdout, stderr = call("lint", bad)
    assert (code, stderr) == (1, "")
    assert f"{bad}:2: P001" in stdout
    assert stdout.splitlines()[-1].startswith("Next: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "Usage: " in result.output


def test_the_help_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(re.search(rf"^  {command} ", result.output, re.MULTILINE) for command in COMMANDS)


# As a library


def test_the_public_names_are_these() -> None:
    assert dataprep.__all__ == ["__version__", "convert", "ledger", "lint", "open_shards", "verify"]
    assert dir(dataprep) == dataprep.__all__
    assert all(callable(getattr(dataprep, name)) for name in dataprep.__all__[1:])
    with pytest.raises(AttributeError, match="has no attribute 'train'"):
        dataprep.train  # noqa: B018


def test_importing_the_package_or_showing_help_loads_no_heavy_module() -> None:
    program = (
        "import sys, dataprep\n"
        "assert not {'pyarrow', 'numpy', 'polars'} & set(sys.modules), 'import'\n"
        "from typer.testing import CliRunner\n"
        "from dataprep.cli import app\n"
        "CliRunner().invoke(app, ['--help'])\n"
        "loaded = {'torch', 'transformers', 'pyarrow', 'polars', 'numpy', 'PIL'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "from dataprep import lint\n"
        "lint([sys.argv[1]])\n"
        "loaded = {'torch', 'transformers', 'polars'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    source = str(Path(__file__).resolve().parent.parent / "fixtures" / "goldens" / "datasets" / "seed_text.jsonl")
    done = subprocess.run([sys.executable, "-c", program, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
