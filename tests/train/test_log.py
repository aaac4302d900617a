"""The log holds each step once, whatever happened to the run."""

from __future__ import annotations

from pathlib import Path

from train.log import RunLog, read_log


def test_a_resumed_run_drops_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    with RunLog(tmp_path, total_steps=5, start_step=0) as log:
        for step in (1, 2, 3):
            log.write("train", step, {"loss": float(step)})
            log.advance()
        log.write("end", 2, {"status": "stopped"})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"event": "train", "st')
    with RunLog(tmp_path, total_steps=5, start_step=2) as log:
        log.write("train", 3, {"loss": 30.0})
    assert [(event["step"], event["loss"]) for event in read_log(tmp_path)] == [(1, 1.0), (2, 2.0), (3, 30.0)]
