"""What a demo came out with: handed from the run to the summary and the page."""

from dataclasses import dataclass
from typing import Any

from dataprep.findings import Finding
from dataprep.shards.manifest import Manifest
from train.demo.dataset import Dataset
from train.demo.scores import Scores


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What came out.

    Attributes:
        dataset: What was drawn.
        findings: What lint found.
        manifests: Of the shards of both trainings, in order.
        trainings: What the trainer reported, in order.
        untrained: Scores before training.
        constant: Scores of answers that do not look.
        trained: Scores after training.
        seconds: Time of each stage.
    """

    dataset: Dataset
    findings: tuple[Finding, ...]
    manifests: tuple[Manifest, Manifest]
    trainings: tuple[dict[str, Any], dict[str, Any]]
    untrained: Scores
    constant: Scores
    trained: Scores
    seconds: dict[str, float]
