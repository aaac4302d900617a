"""Sleeping threads are asked for, but what the user has set stays."""

from __future__ import annotations

import pytest

from infer.threads import let_idle_threads_sleep


@pytest.mark.parametrize(("before", "after"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch, before: str | None, after: str) -> None:
    import os

    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if before is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", before)
    let_idle_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == after
    monkeypatch.delenv("OMP_WAIT_POLICY")
