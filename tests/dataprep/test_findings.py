"""Findings as plain data: order, text and equality."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import pytest

from dataprep.findings import Finding, Location, Severity


def test_severities_are_ordered_and_are_texts() -> None:
    assert sorted(Severity, key=lambda severity: severity.rank) == ["error", "warning", "info"]
    assert f"{Severity.ERROR}" == "error"


def test_locations_sort_by_line_number_not_by_text() -> None:
    places = [Location("b", 1), Location("a", 10), Location("a", 9)]
    assert [str(place) for place in sorted(places)] == ["a:9", "a:10", "b:1"]


def test_a_finding_is_frozen_and_can_be_sent_to_another_process() -> None:
    finding = Finding(code="M301", name="n", severity=Severity.ERROR, location=Location("a", 1), field="", message="m")
    assert finding.help is None
    assert pickle.loads(pickle.dumps(finding)) == finding
    with pytest.raises(FrozenInstanceError):
        finding.code = "M302"  # type: ignore[misc]
