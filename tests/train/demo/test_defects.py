"""Each planted defect raises its rule and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep.config import LintConfig
from dataprep.linting import lint
from dataprep.rules.table import RULES
from train.demo.defects import DEFECTS, Defect, plant
from train.demo.model import MODEL_TYPE
from train.demo.scenes import draw, make_scene


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.code)
def test_a_defect_raises_its_rule_alone(defect: Defect, tmp_path: Path) -> None:
    scene = make_scene(0, "defects/0")
    draw(scene).save(tmp_path / "a.png")
    (tmp_path / "rows.jsonl").write_text(plant(defect, scene, "a.png") + "\n", encoding="utf-8")
    report = lint([str(tmp_path / "rows.jsonl")], LintConfig(model_type=MODEL_TYPE, max_num=1, system=""))
    assert [finding.code for finding in report.findings] == [defect.code]


def test_defects_are_of_different_rules() -> None:
    codes = [defect.code for defect in DEFECTS]
    assert len(set(codes)) == len(codes) >= 8
    assert set(codes) <= set(RULES)
