"""What shards will take is said before they are written, and a disk without room is refused."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataprep.cli import app
from dataprep.config import ConvertConfig
from dataprep.conversion import convert
from dataprep.errors import ShardError
from dataprep.projection import ProjectedSize, refuse_full_disk
from tests.dataprep.conversions import GOLDENS, encode_png, write_rows

Usage = namedtuple("Usage", "total used free")
MODEL = GOLDENS / "tokenizer_nobos"


def write_source(folder: Path) -> str:
    for number in range(3):
        (folder / f"{number}.png").write_bytes(encode_png((number, 2, 3)))
    rows = [{"query": "<image>what?", "response": "a cat " * 9, "images": [f"{n % 3}.png"]} for n in range(200)]
    return write_rows(folder / "rows.jsonl", rows)


@pytest.mark.parametrize("media", ["embed", "link"])
def test_the_projected_size_is_near_the_size_on_the_disk(tmp_path: Path, media: str) -> None:
    said: list[str] = []
    config = ConvertConfig(model_type="internvl2-1b", model=MODEL, media=media, no_cache=True)
    source = write_source(tmp_path)
    convert([source], tmp_path / "out", config, notice=said.append)
    size = sum(path.stat().st_size for path in (tmp_path / "out").iterdir() if path.name != "manifest.json")
    (text,) = said
    assert text.startswith("the shards will take about ")
    told = float(text.split("about ")[1].split()[0]) * {"KB": 1e3, "MB": 1e6}[text.split()[6].rstrip(":")]
    assert abs(told - size) < 0.1 * size + 10_000


def test_the_command_says_it_on_standard_error(tmp_path: Path) -> None:
    source, out = write_source(tmp_path), str(tmp_path / "out")
    options = ["--for", "internvl2-1b", "--model", str(MODEL), "--out", out, "--no-cache"]
    done = CliRunner().invoke(app, ["convert", source, *options])
    assert done.exit_code == 0
    assert "The shards will take about" in done.stderr
    assert "The shards will take about" not in done.stdout


def test_a_disk_without_room_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ConvertConfig(model_type="internvl2-1b", model=MODEL, no_cache=True)
    source = write_source(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: Usage(10, 9, 1))
        with pytest.raises(ShardError, match=r"and 1 byte are free at .*; free space there and run the command again"):
            convert([source], tmp_path / "out", config)
    assert not list((tmp_path / "out").glob("*.arrow"))
    assert convert([source], tmp_path / "out", config).ledger.converted == 200  # what was planned is used


def test_what_fits_is_not_refused(tmp_path: Path) -> None:
    refuse_full_disk(tmp_path, ProjectedSize(1, 2, 3, 1))
    refuse_full_disk(tmp_path / "gone", ProjectedSize(1, 2, 3, 1))  # said by whoever writes there
    assert str(ProjectedSize(1_200_000_000, 0, 0, 5)) == (
        "the shards will take about 1.2 GB: 1.2 GB of samples and 0 bytes of media in 5 shards"
    )
