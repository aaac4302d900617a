"""The demo on one page: draw -> lint -> convert -> train -> evaluate untrained, constant, trained -> page.

Everything but the drawing goes through the functions behind the four commands, with the options that a
person would give; `commands` spells them out. The folder that comes out holds the data set, the untrained
model, the shards, the run, the predictions, `summary.json` and `page.html`.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dataprep.config import ConvertConfig, LintConfig
from dataprep.conversion import convert
from dataprep.errors import ConfigError
from dataprep.findings import Finding, Severity
from dataprep.linting import lint
from dataprep.shards.manifest import Manifest
from train.demo.baseline import best_constant_box
from train.demo.dataset import MODEL_FAMILY, Dataset, DatasetConfig, write_dataset
from train.demo.model import MODEL_TYPE, write_model
from train.demo.page import write_page
from train.demo.rows import vocabulary
from train.demo.scenes import draw, make_scene
from train.demo.scores import Scores, score_constants, score_predictions
from train.errors import TrainError

SUMMARY_NAME, PAGE_NAME = "summary.json", "page.html"
_MARKER = ".dataprep-demo"
_MODEL_SCENES = 400
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoConfig:
    """How the demo runs; the defaults are what `make demo` does."""

    out: Path
    """Folder of everything that is made; an earlier demo in it is replaced, anything else is refused."""
    steps: int = 3000
    """Optimizer steps."""
    data: DatasetConfig = field(default_factory=DatasetConfig)
    """How much is drawn."""
    num_threads: int = 2
    """CPU threads of the training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoResult:
    """What came out."""

    dataset: Dataset
    findings: tuple[Finding, ...]
    manifest: Manifest
    training: dict[str, Any]
    untrained: Scores
    constant: Scores
    trained: Scores
    seconds: dict[str, float]
    """Of each stage."""


def make_config(out: Path, *, steps: int, seed: int, is_quick: bool) -> DemoConfig:
    """Return the settings of a demo; a quick one draws little and trains at most 20 steps."""
    if is_quick:
        data = DatasetConfig(num_scenes=240, rows_per_scene=1, num_val_scenes=6, seed=seed)
        return DemoConfig(out=out, steps=min(steps, 20), data=data)
    return DemoConfig(out=out, steps=steps, data=DatasetConfig(seed=seed))


def run_demo(config: DemoConfig, *, say: Say) -> DemoResult:
    """Run the demo.

    Args:
        config: Sizes and place.
        say: Told in a line what is being done.

    Raises:
        ConfigError: If `out` holds something else.
        TrainError: If lint found anything but the planted defects.
        DataprepError: As the stages raise it.
    """
    out, seconds = config.out, {}
    _prepare(out)
    with _Stage("draw", seconds):
        say(f"draw {config.data.num_scenes} scenes to train on, {config.data.num_val_scenes} held-out ones")
        dataset = write_dataset(out / "data", config.data)
        _write_untrained(out / "model", config)
    with _Stage("lint", seconds):
        say(f"lint {dataset.num_rows} rows with {len(dataset.planted)} planted defects")
        findings = _lint(dataset)
    with _Stage("convert", seconds):
        say("convert to shards, rejecting what lint found")
        manifest = convert([str(dataset.train)], out / "shards", _convert_config(out, dataset))
    with _Stage("train", seconds):
        say(f"train {config.steps} steps from scratch on {_threads(config)} CPU threads")
        training = _train(config)
    with _Stage("evaluate", seconds):
        say(f"answer {len(dataset.val_kinds)} held-out questions, untrained and trained")
        untrained = score_predictions(_evaluate(out, "model", "eval-untrained"), dataset)
        trained = score_predictions(_evaluate(out, "run", "eval-trained"), dataset)
        constant = score_constants(untrained.lines, best_constant_box(dataset.train_boxes))
    result = DemoResult(
        dataset=dataset,
        findings=findings,
        manifest=manifest,
        training=training,
        untrained=untrained,
        constant=constant,
        trained=trained,
        seconds=seconds,
    )
    _write_summary(out / SUMMARY_NAME, result)
    write_page(out / PAGE_NAME, result, commands=commands(config))
    return result


def commands(config: DemoConfig) -> list[str]:
    """Return the four commands that do the same as the demo's calls."""
    out, options = config.out, f"--for {MODEL_TYPE} --max-num 1 --system ''"
    training = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in _RECIPE.items())
    return [
        f"dataprep lint {out}/data/train.jsonl {out}/data/val.jsonl {options}",
        f"dataprep convert {out}/data/train.jsonl --val {out}/data/val.jsonl {options} --model {out}/model "
        f"--on-bad skip --out {out}/shards",
        f"dataprep train {out}/shards --model {out}/model --max-steps {config.steps} {training} --out {out}/run",
        f"dataprep eval {out}/shards --split val --model {out}/run --out {out}/eval-trained",
    ]


_RECIPE: dict[str, Any] = {
    "sft_type": "full",
    "learning_rate": 1e-3,
    "adam_beta2": 0.98,
    "weight_decay": 0.05,
    "pack_length": 1280,
}


def _prepare(out: Path) -> None:
    """Make the folder; empty it if it holds an earlier demo."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file; name a folder that does not exist yet")
    if out.is_dir() and any(out.iterdir()):
        if not (out / _MARKER).is_file():
            raise ConfigError(f"--out {out} holds something else than a demo; name a folder that does not exist yet")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARKER).touch()


def _write_untrained(folder: Path, config: DemoConfig) -> None:
    """Write the model folder; tokenizer and patch embedding are fitted to scenes of a family of their own."""
    seed = config.data.seed
    scenes = [make_scene(seed, f"{MODEL_FAMILY}/{number}") for number in range(_MODEL_SCENES)]
    write_model(folder, vocabulary(scenes), [draw(scene) for scene in scenes], seed=seed)


def _lint(dataset: Dataset) -> tuple[Finding, ...]:
    """Lint both files, and hold what was found against what was planted."""
    report = lint([str(dataset.train), str(dataset.val)], LintConfig(model_type=MODEL_TYPE, max_num=1, system=""))
    found = {(f.location.path, f.location.line, f.code) for f in report.findings if f.severity is Severity.ERROR}
    planted = {(str(dataset.train), line, code) for line, code in dataset.planted.items()}
    if found != planted:
        raise TrainError(
            f"lint missed {sorted(planted - found)} and reported {sorted(found - planted)} beside the planted defects; "
            "this is a bug of dataprep, please report it"
        )
    return tuple(report.findings)


def _convert_config(out: Path, dataset: Dataset) -> ConvertConfig:
    return ConvertConfig(
        model_type=MODEL_TYPE,
        model=out / "model",
        max_num=1,
        system="",
        on_bad="skip",
        val=(str(dataset.val),),
        jobs=_available_cpus(2),
    )


def _train(config: DemoConfig) -> dict[str, Any]:
    from train.config import TrainConfig
    from train.loop import train

    return train(
        TrainConfig(
            shards=(str(config.out / "shards"),),
            model=str(config.out / "model"),
            out=str(config.out / "run"),
            max_steps=config.steps,
            num_threads=_threads(config),
            eval_steps=max(config.steps // 10, 1),
            eval_packs=8,
            save_steps=None,
            seed=config.data.seed,
            **_RECIPE,
        )
    )


def _evaluate(out: Path, model: str, name: str) -> Path:
    """Evaluate a model folder on the held-out split; return the file of predictions."""
    from infer.evaluate import EvalOptions, evaluate_shards

    options = EvalOptions(split="val", out=out / name, batch_size=32, max_new_tokens=40)
    return Path(evaluate_shards(out / "shards", out / model, options)["predictions"])


def _threads(config: DemoConfig) -> int:
    return _available_cpus(config.num_threads)


def _available_cpus(most: int) -> int:
    return max(1, min(most, os.cpu_count() or 1))


def _write_summary(path: Path, result: DemoResult) -> None:
    content = {
        "planted": {str(line): code for line, code in result.dataset.planted.items()},
        "found": {str(f.location.line): f.code for f in result.findings},
        "ledger": asdict(result.manifest.ledger),
        "training": result.training,
        "scores": {
            name: {"kinds": scores.kinds, "mean_iou": scores.mean_iou, "precision_50": scores.precision_50}
            for name, scores in (
                ("untrained", result.untrained),
                ("constant", result.constant),
                ("trained", result.trained),
            )
        },
        "seconds": result.seconds,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


class _Stage:
    """Times a stage of the demo into a dictionary."""

    def __init__(self, name: str, seconds: dict[str, float]) -> None:
        self._name, self._seconds = name, seconds

    def __enter__(self) -> None:
        self._started_s = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self._seconds[self._name] = round(time.perf_counter() - self._started_s, 1)
