"""The options of lint as they are typed, and how they come together with a file's."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dataprep.cli import app
from dataprep.cli_lint import gather
from dataprep.cli_options import complete_model_type, complete_rule
from dataprep.errors import ConfigError
from dataprep.linting_run import LintRun
from tests.dataprep.conversions import image_row, text_row, write_png, write_rows


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a good, a bad and a doubtful data file."""
    monkeypatch.chdir(tmp_path)
    write_png(tmp_path / "a.png", (1, 2, 3))
    write_rows(tmp_path / "good.jsonl", [text_row(1)])
    write_rows(tmp_path / "bad.jsonl", [image_row("gone.png"), "{cut", {"query": "q"}])
    write_rows(tmp_path / "old.jsonl", [image_row("gone.png", query="Old?")])
    return tmp_path


def call(*arguments: str, input: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["lint", *arguments], input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def codes(*arguments: str) -> set[str]:
    _, out = call(*arguments, "--format", "jsonl")
    return {json.loads(line)["code"] for line in out.splitlines()}


@pytest.mark.usefixtures("inside")
def test_rules_are_chosen_by_code_beginning_and_name() -> None:
    assert codes("bad.jsonl") == {"M301", "P001", "S101"}
    assert codes("bad.jsonl", "--select", "M301,P") == {"M301", "P001"}
    assert codes("bad.jsonl", "--select", "M301", "--select", "invalid-json") == {"M301", "P001"}
    assert codes("bad.jsonl", "--select", "P", "--extend-select", "S1") == {"P001", "S101"}
    assert codes("bad.jsonl", "--ignore", "M,answer-missing") == {"P001"}
    assert codes("bad.jsonl", "old.jsonl", "--per-file-ignores", "bad*=M,P", "--ignore", "S") == {"M301"}
    assert codes("bad.jsonl", "--level", "0") == {"P001", "S101"}


@pytest.mark.usefixtures("inside")
def test_severities_and_failure() -> None:
    assert call("bad.jsonl", "--severity", "P=warning", "--severity", "M301=info", "--ignore", "S")[0] == 0
    assert call("bad.jsonl", "--severity", "P=warning", "--ignore", "S,M", "--fail-on", "warning")[0] == 1
    assert call("bad.jsonl", "--exit-zero")[0] == 0
    assert call("bad.jsonl", "--max-findings", "1")[0] == 3


@pytest.mark.usefixtures("inside")
def test_standard_input_is_a_dash() -> None:
    code, out = call("-", "--format", "concise", input='{"query": "q", "response": "r"}\n{cut\n')
    assert code == 1
    assert out.startswith("-:2: P001 ")


def test_the_command_line_wins_over_the_file(inside: Path) -> None:
    (inside / "pyproject.toml").write_text(
        "[tool.dataprep.lint]\nignore = ['M', 'S', 'P']\nformat = 'concise'\nexit-zero = true\n"
    )
    assert call("bad.jsonl") == (0, "")
    assert codes("bad.jsonl", "--ignore", "M") == {"P001", "S101"}
    assert call("bad.jsonl", "--ignore", "S", "--no-exit-zero")[0] == 1
    assert call("bad.jsonl", "--isolated")[0] == 1
    (inside / "other.toml").write_text("[lint]\nselect = ['P001']\n")
    assert codes("bad.jsonl", "--config", "other.toml") == {"P001"}


def test_a_baseline_is_made_and_used(inside: Path) -> None:
    assert call("bad.jsonl", "--baseline", "base.json", "--update-baseline")[0] == 0
    code, out = call("bad.jsonl", "--baseline", "base.json")
    assert code == 0
    assert "accepted by base.json: 3 findings" in out
    write_rows(inside / "bad.jsonl", [text_row(1)])
    assert "C704" in call("bad.jsonl", "--baseline", "base.json", "--format", "concise")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--severity", "G402"], "--severity is 'G402', expected a pair such as G402=warning"),
        (["--severity", "G402=bad"], "'bad' is no severity; expected error, warning, info"),
        (["--severity", "X9=error"], "no rule has the code or name 'X9'"),
        (["--per-file-ignores", "a.jsonl"], "--per-file-ignores is 'a.jsonl', expected a pair"),
        (["--select", "Z"], "no rule has the code or name 'Z'"),
        (["--config", "gone.toml"], "gone.toml: cannot be read"),
        (["--max-length", "0"], "--max-length is 0"),
    ],
)
@pytest.mark.usefixtures("inside")
def test_wrong_options_are_one_sentence(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["lint", "good.jsonl", *arguments])
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)


def test_every_option_reaches_its_configuration(inside: Path) -> None:
    given: dict[str, Any] = dict.fromkeys(["for_model", "model", "level", "config", "output", "format"])
    given |= dict.fromkeys(["fix", "unsafe_fixes", "diff", "isolated", "update_baseline"], False)
    given |= {"fixed_out": None, "val": ["good.jsonl"], "jobs": 2, "sample": 5, "allow_urls": False, "exif": "apply"}
    run: LintRun = gather(given)
    assert (run.lint.val, run.lint.jobs, run.lint.sample, run.lint.exif) == (("good.jsonl",), 2, 5, "apply")
    assert run.lint.allow_urls is False


def test_help_shows_options_in_groups() -> None:
    result = CliRunner().invoke(app, ["lint", "--help"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    headings = [line[:-1] for line in result.stdout.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Options", "What rows mean", "Which rules", "When it fails", "Report", "Mending", "Media", "Run",
    ]  # fmt: skip
    assert "Exit codes: 0 clean, 1 findings, 2 could not run" in result.stdout


def test_help_loads_neither_rules_nor_rich() -> None:
    program = (
        "import sys; from dataprep.cli import main; sys.argv = ['dataprep', 'lint', '--help']\n"
        "try:\n    main()\nfinally:\n"
        "    loaded = {'rich', 'numpy', 'dataprep.linting', 'msgspec'} & set(sys.modules); assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_lint_of_good_rows_loads_nothing_that_prints_or_mends(inside: Path) -> None:
    program = (
        "import sys; from dataprep.cli import main; sys.argv = ['dataprep', 'lint', 'good.jsonl']\n"
        "try:\n    main()\nfinally:\n"
        "    loaded = {'rich', 'jinja2', 'jsonschema', 'dataprep.fixing'} & set(sys.modules); assert not loaded, loaded"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60, cwd=inside
    )
    assert done.returncode == 0, done.stderr


def call_on_terminal(*arguments: str, folder: Path, **environment: str) -> str:
    """Run the command on a terminal of its own; return what it shows."""
    main_end, terminal = pty.openpty()
    program = "import sys; from dataprep.cli import main; sys.argv = ['dataprep', *sys.argv[1:]]; main()"
    variables = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=terminal, stdout=terminal, stderr=terminal, cwd=folder,
        env=variables | {"TERM": "xterm", "COLUMNS": "100"} | environment,
    )  # fmt: skip
    os.close(terminal)
    pieces = []
    with os.fdopen(main_end, "rb", buffering=0) as stream, contextlib.suppress(OSError):  # EIO: nobody writes any more
        while piece := stream.read(1 << 16):
            pieces.append(piece)
    process.wait(60)
    return b"".join(pieces).decode()


def test_a_terminal_gets_colours_unless_it_wants_none(inside: Path) -> None:
    assert "\x1b[1;31mM301\x1b[0m" in call_on_terminal("lint", "bad.jsonl", folder=inside)
    assert "\x1b[1;31mM301" not in call_on_terminal("lint", "bad.jsonl", folder=inside, NO_COLOR="1")
    assert "\x1b" not in call_on_terminal("lint", "bad.jsonl", "--format", "concise", folder=inside)


def test_a_terminal_gets_pages_of_rules_laid_out(inside: Path) -> None:
    shown = call_on_terminal("explain", "G402", folder=inside)
    assert "G402 box-outside-image" in shown
    assert "## What it does" not in shown
    assert "What it does" in shown


def test_a_terminal_gets_a_harmless_diff(inside: Path) -> None:
    row = {"query": "q\u202e\x9b31m", "response": "r", "image": "a.png"}
    (inside / "odd.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    shown = call_on_terminal("lint", "odd.jsonl", "--diff", folder=inside)
    assert "+{" in shown
    assert "\\u202e\\x9b31m" in shown
    assert not {"\u202e", "\x9b", "\x1b"} & set(shown)


def test_words_are_completed() -> None:
    assert complete_rule("g40")[0] == "G401"
    assert "image-file-missing" in complete_rule("image-f")
    assert "internvl2-8b" in complete_model_type("internvl2-")


@pytest.mark.parametrize(
    ("words", "expected"),
    [("dataprep expl", "explain"), ("dataprep explain M30", "M301"), ("dataprep lint --for mini", "mini-internvl"),
     ("dataprep lint --fail-on w", "warning")],
)  # fmt: skip
def test_the_shell_completes_words(words: str, expected: str) -> None:
    environment = os.environ | {
        "_DATAPREP_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1),
    }  # fmt: skip
    program = "import sys; from dataprep.cli import main; sys.argv = ['dataprep']; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert expected in done.stdout, done
