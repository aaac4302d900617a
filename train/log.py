"""The record of a run: ``log.jsonl`` for programs, a progress bar for people.

Every event is one line of JSON with at least ``event`` and ``step``, flushed at once, so that a killed run
keeps its history. A resumed run drops the lines after its checkpoint, so that each step stands there once. The
bar goes to stderr, and only to a terminal.
"""

import json
import sys
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LOG_NAME = "log.jsonl"


class RunLog:
    """Writes the log of one run; use it as a context manager."""

    def __init__(self, run: Path, *, total_steps: int, start_step: int) -> None:
        """Open the log of `run`, keeping its lines up to `start_step`."""
        self._path = run / LOG_NAME
        _cut(self._path, start_step)
        self._file = self._path.open("a", encoding="utf-8")
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("", total=total_steps, completed=start_step, status="")

    def __enter__(self) -> "RunLog":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._file.close()

    def advance(self) -> None:
        """Move the bar by one step."""
        self._progress.advance(self._task)

    def write(self, event: str, step: int, values: dict[str, float | str | None]) -> None:
        """Append one event; numbers and texts only."""
        self._file.write(json.dumps({"event": event, "step": step} | values) + "\n")
        self._file.flush()
        if isinstance(loss := values.get("loss"), float):
            self._progress.update(self._task, status=f"{event} loss {loss:.4f}")


def read_log(run: Path) -> list[dict[str, object]]:
    """Return the events of a run, oldest first."""
    lines = (run / LOG_NAME).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _cut(path: Path, start_step: int) -> None:
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # the last line of a killed run may be half-written
            continue
        if event["step"] <= start_step and event["event"] != "end":
            kept.append(line + "\n")
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(kept), encoding="utf-8")
    temporary.replace(path)
