"""The documentation is true: its commands run, its Python runs, and the files that it names exist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageDraw

from tests.factories import make_tiny_model

REPO = Path(__file__).resolve().parent.parent
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)\)")


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in _BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def draw_data(folder: Path) -> None:
    """Write a few rows with pictures, a model folder and what else the pages speak of."""
    (folder / "images").mkdir()
    for number in range(6):
        picture = Image.new("RGB", (56, 56), "white")
        ImageDraw.Draw(picture).ellipse((8, 8, 40, 40), fill=["red", "blue"][number % 2])
        picture.save(folder / "images" / f"{number}.png")
    picture.save(folder / "photo.png")
    rows = [
        {"query": "What colour?", "response": ["red", "blue"][n % 2], "images": [f"images/{n}.png"]} for n in range(6)
    ]
    for name, part in (("train.jsonl", rows[:4]), ("val.jsonl", rows[4:])):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's commands have been run: the other pages go on from there."""
    folder = tmp_path_factory.mktemp("docs")
    draw_data(folder)
    make_tiny_model(folder / "model", tokenizer_dir=REPO / "tests/fixtures/goldens/tokenizer_nobos")
    for block in blocks(REPO / "README.md", "sh"):
        run_shell(block, folder)
    return folder


def run_shell(block: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


def test_readme_commands_run(workplace: Path) -> None:
    assert (workplace / "shards" / "manifest.json").is_file()
    assert (workplace / "runs" / "a" / "log.jsonl").is_file()


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "README.md"], ids=lambda p: p.name)
def test_commands_run(page: Path, workplace: Path) -> None:
    for block in blocks(page, "sh"):
        run_shell(block, workplace)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_runs(page: Path, workplace: Path) -> None:
    for index, block in enumerate(blocks(page, "python")):
        script = workplace / f"{page.stem}_{index}.py"
        script.write_text(block, encoding="utf-8")
        run_shell(f"python {script.name}", workplace)


def find_runs(value: object) -> list[str]:
    """Return the commands of a pipeline: what stands under ``run`` and ``script``."""
    if isinstance(value, list):
        return [run for entry in value for run in find_runs(entry)]
    if not isinstance(value, dict):
        return []
    own = [value["run"]] if "run" in value else list(value.get("script", []))
    return own + [run for entry in value.values() for run in find_runs(entry)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_of_pipelines_run(page: Path, workplace: Path) -> None:
    for block in blocks(page, "yaml"):
        for run in find_runs(yaml.safe_load(block)):
            if not run.startswith("pip "):
                run_shell(run, workplace)


def test_hooks_run(workplace: Path) -> None:
    hooks = {hook["id"]: hook for hook in yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
    (repo,) = next(
        config["repos"]
        for block in blocks(REPO / "docs" / "ci.md", "yaml")
        if "repos" in (config := yaml.safe_load(block))
    )
    assert {hook["id"] for hook in repo["hooks"]} <= hooks.keys()
    for hook in hooks.values():
        assert re.search(hook["files"], "train.jsonl")
        assert not re.search(hook["files"], "package.json")
        run_shell(f"{hook['entry']} train.jsonl", workplace)


def test_options_files_in_pages_are_options_files(tmp_path: Path) -> None:
    from dataprep.config_files import find_table

    tables = [block for page in PAGES for block in blocks(page, "toml")]
    assert tables
    for block in tables:
        path = tmp_path / "pyproject.toml"
        path.write_text(block, encoding="utf-8")
        assert find_table(tmp_path, config=path).values


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_json_is_json(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_is_documented() -> None:
    from importlib.metadata import entry_points

    from dataprep.cli import app

    own = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    names = own | {entry.name for entry in entry_points(group="dataprep.commands")}
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {name for name in names if f"dataprep {name}" not in text} == set()


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_number_of_rules_is_right(page: str) -> None:
    from dataprep.rules.table import RULES

    numbers = re.findall(r"(\d+) rules", (REPO / page).read_text(encoding="utf-8"))
    assert numbers == [str(len(RULES))]
