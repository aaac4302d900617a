"""The demo's page: one self-contained HTML file with the pictures, boxes, scores and the loss curve.

Everything that came from data is escaped by the template; pictures are inlined, drawings are SVG, nothing
is fetched.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from train.demo.defects import DEFECTS
from train.demo.rows import COLOUR, COUNT, SHAPE, WHAT, WHERE

if TYPE_CHECKING:
    from train.demo.run import DemoResult

KIND_TITLES = {
    COLOUR: "What colour is it?",
    SHAPE: "What shape is it?",
    COUNT: "How many are there?",
    WHAT: "What is in this box?",
    WHERE: "Where is it?",
}
_GALLERY = ((WHERE, 9), (WHAT, 3), (SHAPE, 3), (COLOUR, 3))
_CURVE_WIDTH, _CURVE_HEIGHT = 640, 220


@dataclass(frozen=True, slots=True)
class Curve:
    """A loss curve in the units of an SVG of 640 by 220: points as text, and ticks as (position, label)."""

    train: str
    val: str
    steps: list[tuple[float, str]]
    losses: list[tuple[float, str]]


def write_page(path: Path, result: "DemoResult", *, commands: Sequence[str]) -> None:
    """Write the page of a finished demo."""
    path.write_text(render_page(page_content(result, commands=commands, root=path.parent)), encoding="utf-8")


def render_page(content: dict[str, Any]) -> str:
    """Return the HTML of a page's content; every value is escaped."""
    environment = Environment(
        loader=PackageLoader("train.demo", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(content)


def page_content(result: "DemoResult", *, commands: Sequence[str], root: Path) -> dict[str, Any]:
    """Return what the template needs, as plain values.

    Args:
        result: The finished demo.
        commands: The four commands, in order.
        root: Folder of the demo, for the pictures and the log.
    """
    log = [json.loads(line) for line in (root / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
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
        ),
        "cards": [_card(line, root / "data") for line in _choose(result.trained.lines)],
        "num_questions": len(result.trained.lines),
        "num_scenes": len(set(result.dataset.val_images)),
    }


def loss_curve(train: Sequence[tuple[int, float]], val: Sequence[tuple[int, float]]) -> Curve:
    """Lay out losses as (step, loss) on an SVG canvas; the loss axis starts at 0."""
    last_step = max((step for step, _ in (*train, *val)), default=1)
    top = max((loss for _, loss in (*train, *val)), default=1.0)
    unit = next(u for u in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0) if top / u <= 5 or u == 10.0)

    def place(step: float, loss: float) -> tuple[float, float]:
        return round(step / last_step * _CURVE_WIDTH, 1), round(_CURVE_HEIGHT * (1 - loss / top), 1)

    def points(pairs: Sequence[tuple[int, float]]) -> str:
        return " ".join(f"{x},{y}" for x, y in (place(step, loss) for step, loss in pairs))

    return Curve(
        train=points(train),
        val=points(val),
        steps=[(place(last_step * k / 4, 0)[0], f"{round(last_step * k / 4):,}") for k in range(5)],
        losses=[(place(0, k * unit)[1], f"{k * unit:g}") for k in range(int(top / unit) + 1)],
    )


def _stations(result: "DemoResult", commands: Sequence[str]) -> list[dict[str, str]]:
    ledger, training = result.manifest.ledger, result.training
    split = result.manifest.splits["train"]
    texts = (
        (
            "lint",
            f"{len(result.findings)} findings in {result.dataset.num_rows:,} rows: "
            f"the {len(result.dataset.planted)} planted defects, and nothing else.",
        ),
        (
            "convert",
            f"{ledger.rows_in:,} rows in = {ledger.converted:,} converted + {ledger.repaired:,} repaired + "
            f"{ledger.rejected:,} rejected + {ledger.duplicate:,} duplicates.",
        ),
        (
            "train",
            f"{training['step']:,} steps in {training['seconds']:.0f} s over "
            f"{split.rows:,} rows, {split.tokens:,} tokens, {split.tiles:,} tiles.",
        ),
        ("eval", f"{len(result.trained.lines):,} questions about pictures that training never saw."),
    )
    return [
        {"name": name, "command": command, "text": text} for (name, text), command in zip(texts, commands, strict=True)
    ]


def _score_rows(result: "DemoResult") -> list[dict[str, str]]:
    columns = (result.untrained, result.constant, result.trained)
    rows = [
        {"title": KIND_TITLES[kind], "unit": "exact answers", "values": [_percent(c.kinds[kind]) for c in columns]}
        for kind in (COLOUR, SHAPE, COUNT, WHAT)
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


def _card(line: dict[str, Any], folder: Path) -> dict[str, Any]:
    is_box = line["kind"] == WHERE
    picture = base64.b64encode((folder / line["image"]).read_bytes()).decode("ascii")
    return {
        "picture": f"data:image/png;base64,{picture}",
        "where": f"{line['source_file']}:{line['source_line']}",
        "question": _question(line["prompt"]),
        "expected": line["response"],
        "answer": line["prediction"] or "",
        "score": f"IoU {line['iou']:.2f}" if is_box else "",
        "is_right": line["iou"] >= 0.5 if is_box else line["exact_match"],
        "true_boxes": [_percent_box(box) for box in line.get("reference_boxes", [])],
        "predicted_boxes": [_percent_box(box) for box in line.get("predicted_boxes", [])],
    }


def _question(prompt: str) -> str:
    """Return the words of the last turn's question, without the marks of the template and the picture."""
    turn = prompt.rsplit("<|im_start|>user\n", 1)[-1].split("<|im_end|>", 1)[0]
    return turn.rsplit("</img>\n", 1)[-1]


def _percent_box(box: Sequence[float]) -> dict[str, float]:
    x1, y1, x2, y2 = (round(100 * value, 2) for value in box)
    return {"x": x1, "y": y1, "width": max(round(x2 - x1, 2), 0), "height": max(round(y2 - y1, 2), 0)}
