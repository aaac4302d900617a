"""The summary in text."""

from __future__ import annotations

from train.demo.run import DemoResult
from train.demo.scores import TEXT_KINDS
from train.demo.summary import summary_text


def test_the_summary_says_what_came_out(demo: DemoResult) -> None:
    lines = summary_text(demo).splitlines()
    assert lines[0].startswith("lint     9 findings, the 9 planted defects")
    assert " converted + 9 rejected" in lines[1]
    assert lines[2].startswith("train    3 + 7 steps in ")
    assert lines[3] == f"eval     {len(demo.dataset.val_kinds)} questions about 6 held-out pictures"
    assert lines[5].split() == ["untrained", "constant", "trained"]
    assert [line.split(",")[0] for line in lines[6:]] == [*TEXT_KINDS, "shape + pick", "where", "where"]
