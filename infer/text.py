"""An evaluation report as lines for people."""

from typing import Any


def report_text(report: dict[str, Any]) -> str:
    """Return the report as a table; a mean over no sample is a dash."""
    grounding, text = report["grounding"], report["text"]
    rows = [
        ("exact match, all", report["exact_match"], report["num_samples"]),
        ("exact match, without boxes", text["exact_match"], text["num_samples"]),
        ("mean IoU", grounding["mean_iou"], grounding["num_samples"]),
        ("P@0.5", grounding["precision_50"], grounding["num_samples"]),
    ]
    lines = [f"{'metric':<28}{'value':>8}{'samples':>10}"]
    lines += [f"{name:<28}{'-' if value is None else f'{value:.3f}':>8}{count:>10,}" for name, value, count in rows]
    lines.append(f"answers without a readable box: {grounding['num_parse_failures']:,} of {grounding['num_samples']:,}")
    if report["num_errors"]:
        lines.append(f"samples that could not be read: {report['num_errors']:,} (see 'error' in the predictions)")
    lines.append(f"predictions: {report['predictions']}")
    return "\n".join(lines)
