"""The demo's page: one self-contained HTML file with the pictures, boxes, scores and the loss curve.

Everything that came from data is escaped by the template; pictures are inlined, drawings are SVG, nothing
is fetched.
"""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dataprep.grounding import BoxCodec
from dataprep.reports.text import make_visible
from train.demo.defects import DEFECTS
from train.demo.rows import COLOUR, COUNT, PICK, SHAPE, WHAT, WHERE

if TYPE_CHECKING:
    from train.demo.result import DemoResult

KIND_TITLES = {
    COLOUR: "What colour is it, of one shape?",
    SHAPE: "What shape is it, of one shape?",
    PICK: "Which shape has this colour, of several?",
    COUNT: "How many are there?",
    WHAT: "What is in this box?",
    WHERE: "Where is it?",
}
_GALLERY = ((WHERE, 9), (WHAT, 3), (PICK, 3), (SHAPE, 3), (COLOUR, 3))
_CURVE_WIDTH, _CURVE_HEIGHT = 640, 320
_LOSS_TICKS = tuple(digit * 10.0**power for power in range(-4, 4) for digit in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class Curve:
    """A loss curve in the units of an SVG: points as text, ticks as (position, label), the loss logarithmic.

    `second` is the place of the step at which the second training began.
    """

    train: str
    val: str
    steps: list[tuple[float, str]]
    losses: list[tuple[float, str]]
    second: float
    height: int = _CURVE_HEIGHT


def write_page(path: Path, result: "DemoResult", *, commands: dict[str, list[str]]) -> None:
    """Write the page of a finished demo."""
    path.write_text(render_page(page_content(result, commands=commands, root=path.parent)), encoding="utf-8")


def render_page(content: dict[str, Any]) -> str:
    """Return the HTML of a page's content; every value is escaped, control characters are spelled out."""
    environment = Environment(
        loader=PackageLoader("train.demo", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(content)


def _visible(value: Any) -> Any:
    return make_visible(value) if isinstance(value, str) else value


def page_content(result: "DemoResult", *, commands: dict[str, list[str]], root: Path) -> dict[str, Any]:
    """Return what the template needs, as plain values.

    Args:
        result: The finished demo.
        commands: The commands of each station.
        root: Folder of the demo, for the pictures and the log.
    """
    log = _read_logs(root, result.trainings[0]["step"])
    manifest = result.manifests[1]
    codec = BoxCodec(style=manifest.box_style, family=manifest.box_family)
    whats = {defect.code: defect.what for defect in DEFECTS}
    return {
        "stations": _stations(result, commands),
        "findings": [
            {
                "line": finding.location.line,
                "code": finding.code,
                "name": finding.name,
                "message": finding.message,
                "what": whats.get(finding.code, ""),
            }
            for finding in result.findings
        ],
        "scores": _score_rows(result),
        "curve": loss_curve(
            [(line["step"], line["loss"]) for line in log if line["event"] == "train"],
            [(line["step"], line["loss"]) for line in log if line["event"] == "val"],
            second_from=result.trainings[0]["step"],
        ),
        "cards": [_card(line, root / "data", codec) for line in _choose(result.trained.lines)],
        "num_questions": len(result.trained.lines),
        "num_scenes": len(set(result.dataset.val_images)),
    }


def _read_logs(root: Path, first_steps: int) -> list[dict[str, Any]]:
    """Return the lines of both trainings' logs, the steps of the second counted on."""
    lines = []
    for name, start in (("run-first", 0), ("run", first_steps)):
        for text in (root / name / "log.jsonl").read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            lines.append(line | {"step": line["step"] + start})
    return lines


def loss_curve(train: Sequence[tuple[int, float]], val: Sequence[tuple[int, float]], *, second_from: int = 0) -> Curve:
    """Lay out losses as (step, loss) on an SVG canvas, the loss on a logarithmic axis between round numbers."""
    pairs = [(step, max(loss, _LOSS_TICKS[0])) for step, loss in (*train, *val)]
    last_step = max((step for step, _ in pairs), default=1)
    bottom = max((tick for tick in _LOSS_TICKS if tick <= min(loss for _, loss in pairs)), default=_LOSS_TICKS[0])
    top = min((tick for tick in _LOSS_TICKS if tick > max(loss for _, loss in pairs)), default=_LOSS_TICKS[-1])

    def place(step: float, loss: float) -> tuple[float, float]:
        share = math.log(min(max(loss, bottom), top) / bottom) / math.log(top / bottom)
        return round(step / last_step * _CURVE_WIDTH, 1), round(_CURVE_HEIGHT * (1 - share), 1)

    def points(pairs: Sequence[tuple[int, float]]) -> str:
        return " ".join(f"{x},{y}" for x, y in (place(step, loss) for step, loss in pairs))

    return Curve(
        train=points(train),
        val=points(val),
        steps=[(place(last_step * k / 4, top)[0], f"{round(last_step * k / 4):,}") for k in range(5)],
        losses=[(place(0, tick)[1], f"{tick:g}") for tick in _LOSS_TICKS if bottom <= tick <= top],
        second=place(second_from, top)[0],
    )


def _stations(result: "DemoResult", commands: dict[str, list[str]]) -> list[dict[str, Any]]:
    ledgers = [manifest.ledger for manifest in result.manifests]
    splits = [manifest.splits["train"] for manifest in result.manifests]
    first, second = result.trainings
    texts = {
        "lint": f"{len(result.findings)} findings in {result.dataset.num_rows:,} rows: "
        f"the {len(result.dataset.planted)} planted defects, and nothing else.",
        "convert": f"{sum(ledger.rows_in for ledger in ledgers):,} rows in = "
        f"{sum(ledger.converted for ledger in ledgers):,} converted + "
        f"{sum(ledger.repaired for ledger in ledgers):,} repaired + "
        f"{sum(ledger.rejected for ledger in ledgers):,} rejected + "
        f"{sum(ledger.duplicate for ledger in ledgers):,} duplicates.",
        "train": f"First pictures of one shape, then all: {first['step']:,} + {second['step']:,} steps in "
        f"{first['seconds'] + second['seconds']:.0f} s, over {sum(split.rows for split in splits):,} rows of "
        f"{sum(split.tokens for split in splits):,} tokens.",
        "eval": f"{len(result.trained.lines):,} questions about pictures that training never saw.",
    }
    return [{"name": name, "commands": commands[name], "text": text} for name, text in texts.items()]


def _score_rows(result: "DemoResult") -> list[dict[str, str]]:
    columns = (result.untrained, result.constant, result.trained)
    rows = [
        {"title": KIND_TITLES[kind], "unit": "exact answers", "values": [_percent(c.kinds[kind]) for c in columns]}
        for kind in (COLOUR, SHAPE, PICK, COUNT, WHAT)
    ]
    where = KIND_TITLES[WHERE]
    rows.append({"title": where, "unit": "mean IoU", "values": [f"{c.mean_iou:.2f}" for c in columns]})
    rows.append({"title": where, "unit": "IoU of 0.5 or more", "values": [_percent(c.precision_50) for c in columns]})
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _choose(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take the first lines of each kind, in the order of the file: shown as they come, good or bad."""
    return [line for kind, number in _GALLERY for line in [line for line in lines if line["kind"] == kind][:number]]


def _card(line: dict[str, Any], folder: Path, codec: BoxCodec) -> dict[str, Any]:
    is_box = line["kind"] == WHERE
    question = _question(line["prompt"])
    picture = base64.b64encode((folder / line["image"]).read_bytes()).decode("ascii")
    return {
        "picture": f"data:image/png;base64,{picture}",
        "where": f"{line['source_file']}:{line['source_line']}",
        "question": question,
        "expected": line["response"],
        "answer": line["prediction"] or "",
        "score": f"IoU {line['iou']:.2f}" if is_box else "",
        "is_right": line["iou"] >= 0.5 if is_box else line["exact_match"],
        "true_boxes": [_percent_box(box) for box in line.get("reference_boxes") or codec.parse_boxes(question)],
        "predicted_boxes": [_percent_box(box) for box in line.get("predicted_boxes", [])],
    }


def _question(prompt: str) -> str:
    """Return the words of the last turn's question, without the marks of the template and the picture."""
    turn = prompt.rsplit("<|im_start|>user\n", 1)[-1].split("<|im_end|>", 1)[0]
    return turn.rsplit("</img>\n", 1)[-1]


def _percent_box(box: Sequence[float]) -> dict[str, float]:
    x1, y1, x2, y2 = (round(100 * value, 2) for value in box)
    return {"x": x1, "y": y1, "width": max(round(x2 - x1, 2), 0), "height": max(round(y2 - y1, 2), 0)}
