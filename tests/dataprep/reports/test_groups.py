"""Groups count every finding and keep a few."""

from __future__ import annotations

from dataprep.reports.groups import Groups
from tests.dataprep.reports.making import make_finding


def test_findings_are_counted_by_file_and_rule_and_the_first_are_kept() -> None:
    groups = Groups(2)
    groups.take([make_finding(1), make_finding(2)])
    groups.take([make_finding(3), make_finding(4, "G402"), make_finding(5, path="more.jsonl")])
    found = {key: (g.count, [f.location.line for f in g.first]) for key, g in groups.by_path_and_code.items()}
    assert found == {
        ("rows.jsonl", "M301"): (3, [1, 2]),
        ("rows.jsonl", "G402"): (1, [4]),
        ("more.jsonl", "M301"): (1, [5]),
    }
