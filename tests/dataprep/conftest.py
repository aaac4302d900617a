"""Fixtures of the data layer's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dataprep.conversions import write_varied


@pytest.fixture
def small_chunks_and_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make several parts and several shards out of a few rows."""
    monkeypatch.setattr("dataprep.blocks.CHUNK_ROWS", 4)
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", 1500)


@pytest.fixture
def real_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.blocks.CHUNK_ROWS", 256)
    monkeypatch.setattr("dataprep.assembly.SHARD_BYTES", 256 << 20)


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows and media of all kinds."""
    folder = tmp_path_factory.mktemp("varied")
    write_varied(folder)
    return folder
