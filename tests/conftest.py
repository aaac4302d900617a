"""Shared fixtures: the project's own truth, and real third-party data where it is present."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Threads that spin while they wait are ruinous where cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

REPO = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests, and the processes that they start, out of the user's caches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def no_reports(own_cache: None) -> None:
    """Let no test find the report of a run that an earlier test made with changed code."""
    shutil.rmtree(Path(os.environ["XDG_CACHE_HOME"]) / "dataprep" / "reports", ignore_errors=True)


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Folder of goldens, checkpoints and tokenizers that tests hold the code against."""
    return REPO / "tests" / "fixtures"


@pytest.fixture(scope="session")
def goldens(fixtures: Path) -> Path:
    """Folder of golden rows, images, videos and tokenizers."""
    return fixtures / "goldens"


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of real third-party data beside the checkout; the test skips where it is absent."""
    folder = REPO.parent / "shared" / "real"
    if not folder.is_dir():
        pytest.skip("real third-party data is not beside this checkout (../shared/real)")
    return folder


@pytest.fixture(scope="session")
def real_rows(real: Path) -> Path:
    """Folder of real rows and what is expected of them."""
    return real / "real_rows"
