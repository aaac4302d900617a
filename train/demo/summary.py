"""The demo's result in a few lines of text."""

from train.demo.result import DemoResult
from train.demo.rows import PICK, SHAPE
from train.demo.scores import TEXT_KINDS, over_kinds


def summary_text(result: DemoResult) -> str:
    """Return what was found, converted, trained and learnt."""
    ledgers = [manifest.ledger for manifest in result.manifests]
    first, second = result.trainings
    columns = (result.untrained, result.constant, result.trained)
    lines = [
        f"lint     {len(result.findings)} findings, the {len(result.dataset.planted)} planted defects and nothing else",
        f"convert  {sum(ledger.rows_in for ledger in ledgers)} rows in = "
        f"{sum(ledger.converted for ledger in ledgers)} converted + "
        f"{sum(ledger.rejected for ledger in ledgers)} rejected",
        f"train    {first['step']} + {second['step']} steps in {first['seconds'] + second['seconds']:.0f} s, "
        f"loss {second['loss']:.3f}",
        f"eval     {len(result.trained.lines)} questions about {len(set(result.dataset.val_images))} held-out pictures",
        "",
        f"{'':24}{'untrained':>10}{'constant':>10}{'trained':>10}",
    ]
    lines += [_line(f"{kind}, exact match", [c.kinds[kind] for c in columns]) for kind in TEXT_KINDS]
    asked = result.dataset.val_kinds
    lines.append(_line("shape + pick, exact", [over_kinds(c, (SHAPE, PICK), asked) for c in columns]))
    lines.append(_line("where, mean IoU", [c.mean_iou for c in columns]))
    lines.append(_line("where, IoU >= 0.5", [c.precision_50 for c in columns]))
    return "\n".join(lines)


def _line(title: str, values: list[float]) -> str:
    return f"{title:24}" + "".join(f"{value:10.3f}" for value in values)
