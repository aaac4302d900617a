"""Findings by rule and file: counts of all, and the first few of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dataprep.findings import Finding


@dataclass(slots=True)
class Group:
    """The findings of one rule in one file: how many, and the first few."""

    count: int = 0
    first: list[Finding] = field(default_factory=list)


class Groups:
    """Collects findings; memory holds ``most`` of each rule in each file."""

    def __init__(self, most: int) -> None:
        self.by_path_and_code: dict[tuple[str, str], Group] = {}
        self._most = most

    def take(self, findings: Sequence[Finding]) -> None:
        """Take in findings."""
        for finding in findings:
            group = self.by_path_and_code.setdefault((finding.location.path, finding.code), Group())
            group.count += 1
            if len(group.first) < self._most:
                group.first.append(finding)
