"""A demo that draws and trains as little as it can, run once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("av", reason="the demo writes a clip, which needs the extra dataprep-vl[video]")

from train.demo.dataset import Dataset, DatasetConfig, write_dataset
from train.demo.model import write_model
from train.demo.rows import vocabulary
from train.demo.run import DemoConfig, DemoResult, run_demo
from train.demo.scenes import draw, make_scene

SMALL = DatasetConfig(num_first_scenes=40, num_scenes=120, num_val_scenes=6, seed=3)


@pytest.fixture(scope="session")
def demo_config(tmp_path_factory: pytest.TempPathFactory) -> DemoConfig:
    """Ten steps on a few scenes."""
    out = tmp_path_factory.mktemp("demo") / "run"
    return DemoConfig(out=out, first_steps=3, steps=7, data=SMALL, num_threads=1)


@pytest.fixture(scope="session")
def demo(demo_config: DemoConfig) -> DemoResult:
    """The result of that demo."""
    return run_demo(demo_config, say=lambda text: None)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A small data set."""
    return write_dataset(tmp_path_factory.mktemp("drawn") / "data", SMALL)


@pytest.fixture(scope="session")
def demo_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model folder."""
    folder = tmp_path_factory.mktemp("demo-model")
    scenes = [make_scene(0, f"model/{number}") for number in range(40)]
    write_model(folder, vocabulary(scenes), [draw(scene) for scene in scenes], seed=0)
    return folder
