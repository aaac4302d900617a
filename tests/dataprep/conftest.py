"""Fixtures for the tests of the data layer."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from dataprep.cli import main


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; returns exit code, standard output and standard error."""

    def run_main(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dataprep", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return (int(caught.value.code or 0), *capfd.readouterr())

    return run_main
